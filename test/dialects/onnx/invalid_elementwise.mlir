// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of elementwise operators.

// Too many operands.
// CHECK: error: node "a" (Relu, opset 17): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %relu = onnx.Relu "a"(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Too few operands.
// CHECK: error: node "add" (Add, opset 17): expected 2 input(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %add = onnx.Add(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Too few of any number of operands.
// CHECK: error: node "max" (Max, opset 17): expected at least 1 input(s), got 0
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %max = onnx.Max() : () -> tensor<2x3xf32>
    func.return
  }
}

// -----

// No result.
// CHECK: error: node "?" (Relu, opset 17): expected 1 output(s), got 0
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    onnx.Relu(%x) : (tensor<2x3xf32>) -> ()
    func.return
  }
}

// -----

// The types of a type variable differ.
// CHECK: error: node "add" (Add, opset 17): input 1 (B) is tensor(int64), but T is tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %y: tensor<2x3xi64>) {
    %add = onnx.Add(%x, %y) : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The result's element type is not the operand's.
// CHECK: error: node "relu" (Relu, opset 17): output 0 (Y) is tensor(double), but T is tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %relu = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf64>
    func.return
  }
}

// -----

// The operator does not take this element type in this opset, ...
// CHECK: error: node "relu" (Relu, opset 13): input 0 (X) may not be tensor(int64)
builtin.module attributes {onnx.opset = 13 : i64} {
  func.func @f(%x: tensor<2x3xi64>) {
    %relu = onnx.Relu(%x) : (tensor<2x3xi64>) -> tensor<2x3xi64>
    func.return
  }
}

// -----

// ... nor a sequence.
// CHECK: error: node "relu" (Relu, opset 17): input 0 (X) may not be seq(tensor(float))
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: !onnx.seq<tensor<2xf32>>) {
    %relu = onnx.Relu(%x) : (!onnx.seq<tensor<2xf32>>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// A required attribute is missing.
// CHECK: error: node "bit_shift" (BitShift, opset 17): attribute 'direction' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xui8>) {
    %bit_shift = onnx.BitShift(%x, %x) : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
    func.return
  }
}

// -----

// The operator came with a later opset.
// CHECK: error: node "gelu" (Gelu, opset 17): Gelu is not in opset 17: it came with opset 20
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gelu = onnx.Gelu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}
