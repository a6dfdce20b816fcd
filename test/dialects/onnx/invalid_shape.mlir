// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of operators on shapes.

// A shape of integers of 32 bits.
// CHECK: error: node "r" (Reshape, opset 17): input 1 (shape) may not be tensor(int32)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %s: tensor<1xi32>) {
    %reshape = onnx.Reshape "r"(%x, %s) : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<6xf32>
    func.return
  }
}

// -----

// The shape is an attribute before opset 5.
// CHECK: error: node "reshape" (Reshape, opset 4): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 4 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %s: tensor<1xi64>) {
    %reshape = onnx.Reshape(%x, %s) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<6xf32>
    func.return
  }
}

// -----

// The axis of Concat is required.
// CHECK: error: node "concat" (Concat, opset 17): attribute 'axis' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %concat = onnx.Concat(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
    func.return
  }
}

// -----

// Concat of two element types.
// CHECK: error: node "concat" (Concat, opset 17): input 1 (inputs) is tensor(double), but T is tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %y: tensor<2x3xf64>) {
    %concat = onnx.Concat(%x, %y) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<4x3xf32>
    func.return
  }
}

// -----

// The axes of Squeeze are an input since opset 13.
// CHECK: error: node "squeeze" (Squeeze, opset 13): unknown attribute 'axes'; Squeeze has: none
builtin.module attributes {onnx.opset = 13 : i64} {
  func.func @f(%x: tensor<2x1xf32>) {
    %squeeze = onnx.Squeeze(%x) {axes = array<i64: 1>} : (tensor<2x1xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A permutation of floats.
// CHECK: error: node "transpose" (Transpose, opset 17): attribute 'perm' must be INTS, is FLOATS
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %transpose = onnx.Transpose(%x) {perm = array<f32: 1.000000e+00, 0.000000e+00>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
    func.return
  }
}

// -----

// start of Shape came with opset 15.
// CHECK: error: node "shape" (Shape, opset 14): unknown attribute 'start'; Shape has: none
builtin.module attributes {onnx.opset = 14 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %shape = onnx.Shape(%x) {start = 1 : i64} : (tensor<2x3xf32>) -> tensor<1xi64>
    func.return
  }
}

// -----

// Slice needs an end.
// CHECK: error: node "slice" (Slice, opset 17): expected 3 to 5 input(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %s: tensor<1xi64>) {
    %slice = onnx.Slice(%x, %s) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The value of ConstantOfShape is a tensor.
// CHECK: error: node "constant_of_shape" (ConstantOfShape, opset 17): attribute 'value' must be TENSOR, is INT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%s: tensor<1xi64>) {
    %constant_of_shape = onnx.ConstantOfShape(%s) {value = 1 : i64} : (tensor<1xi64>) -> tensor<?xi64>
    func.return
  }
}

// -----

// num_outputs came with opset 18.
// CHECK: error: node "split.a" (Split, opset 17): unknown attribute 'num_outputs'; Split has: axis
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %split.a, %split.b = onnx.Split(%x) {num_outputs = 2 : i64} : (tensor<2x3xf32>) -> (tensor<1x3xf32>, tensor<1x3xf32>)
    func.return
  }
}
