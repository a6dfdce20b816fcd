// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of comparisons, logic and conversions.

// A comparison gives booleans.
// CHECK: error: node "less" (Less, opset 17): output 0 (C) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %less = onnx.Less(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Logic takes booleans.
// CHECK: error: node "and" (And, opset 17): input 0 (A) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %and = onnx.And(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
    func.return
  }
}

// -----

// Bits of a float.
// CHECK: error: node "bitwise_and" (BitwiseAnd, opset 18): input 0 (A) may not be tensor(float)
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %bitwise_and = onnx.BitwiseAnd(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Where needs a boolean condition.
// CHECK: error: node "where" (Where, opset 17): input 0 (condition) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %where = onnx.Where(%x, %x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Cast needs a type.
// CHECK: error: node "cast" (Cast, opset 17): attribute 'to' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %cast = onnx.Cast(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// Eight bit floats came with opset 19.
// CHECK: error: node "cast" (Cast, opset 17): output 0 (output) may not be tensor(float8e4m3fn)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %cast = onnx.Cast(%x) {to = 17 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf8E4M3FN>
    func.return
  }
}

// -----

// Booleans only.
// CHECK: error: node "equal" (Equal, opset 17): output 0 (C) may not be tensor(int64)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %equal = onnx.Equal(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi64>
    func.return
  }
}
