// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of normalisation.

// Too few operands.
// CHECK: error: node "bn" (BatchNormalization, opset 17): expected 5 input(s), got 3
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>) {
    %batch_normalization = onnx.BatchNormalization "bn"(%x, %c, %c) : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    func.return
  }
}

// -----

// The mean is not optional.
// CHECK: error: node "batch_normalization" (BatchNormalization, opset 17): input 3 (input_mean) is not optional
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>) {
    %none = onnx.NoValue() : () -> none
    %batch_normalization = onnx.BatchNormalization(%x, %c, %c, %none, %c) : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, none, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    func.return
  }
}

// -----

// Scale and input are of one type before opset 15.
// CHECK: error: node "batch_normalization" (BatchNormalization, opset 14): input 1 (scale) is tensor(float), but T is tensor(float16)
builtin.module attributes {onnx.opset = 14 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf16>, %c: tensor<4xf32>) {
    %batch_normalization = onnx.BatchNormalization(%x, %c, %c, %c, %c) : (tensor<1x4x8x8xf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf16>
    func.return
  }
}

// -----

// spatial went with opset 9.
// CHECK: error: node "batch_normalization" (BatchNormalization, opset 9): unknown attribute 'spatial'; BatchNormalization has: epsilon, momentum
builtin.module attributes {onnx.opset = 9 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>) {
    %batch_normalization = onnx.BatchNormalization(%x, %c, %c, %c, %c) {spatial = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    func.return
  }
}

// -----

// The number of groups is required.
// CHECK: error: node "group_normalization" (GroupNormalization, opset 21): attribute 'num_groups' is required
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>) {
    %group_normalization = onnx.GroupNormalization(%x, %c, %c) : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    func.return
  }
}

// -----

// The mask is boolean.
// CHECK: error: node "dropout.a" (Dropout, opset 17): output 1 (mask) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %dropout.a, %dropout.b = onnx.Dropout(%x) : (tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
    func.return
  }
}

// -----

// The ratio is an input since opset 12.
// CHECK: error: node "dropout" (Dropout, opset 12): unknown attribute 'ratio'; Dropout has: seed
builtin.module attributes {onnx.opset = 12 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %dropout = onnx.Dropout(%x) {ratio = 5.000000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}
