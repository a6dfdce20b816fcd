// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of elementwise operators.

// Too many operands.
// CHECK: 
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %relu = onnx.Relu "a"(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Too few operands.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %add = onnx.Add(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Too few of any number of operands.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %max = onnx.Max() : () -> tensor<2x3xf32>
    func.return
  }
}

// -----

// No result.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    onnx.Relu(%x) : (tensor<2x3xf32>) -> ()
    func.return
  }
}

// -----

// The types of a type variable differ.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %y: tensor<2x3xi64>) {
    %add = onnx.Add(%x, %y) : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The result's element type is not the operand's.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %relu = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf64>
    func.return
  }
}

// -----

// The operator does not take this element type in this opset, ...
// CHECK: ???
builtin.module attributes {onnx.opset = 13 : i64} {
  func.func @f(%x: tensor<2x3xi64>) {
    %relu = onnx.Relu(%x) : (tensor<2x3xi64>) -> tensor<2x3xi64>
    func.return
  }
}

// -----

// ... nor a sequence.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: !onnx.seq<tensor<2xf32>>) {
    %relu = onnx.Relu(%x) : (!onnx.seq<tensor<2xf32>>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// A required attribute is missing.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xui8>) {
    %bit_shift = onnx.BitShift(%x, %x) : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
    func.return
  }
}

// -----

// The operator came with a later opset.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gelu = onnx.Gelu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The operator is gone from a newer opset.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %upsample = onnx.Upsample(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}
