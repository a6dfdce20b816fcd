// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of convolutions.

// The weight is missing.
// CHECK: error: node "conv" (Conv, opset 17): expected 2 to 3 input(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %conv = onnx.Conv "conv"(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// Too many operands.
// CHECK: error: node "conv" (Conv, opset 17): expected 2 to 3 input(s), got 4
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %conv = onnx.Conv(%x, %x, %x, %x) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// A number for a list.
// CHECK: error: node "conv" (Conv, opset 17): attribute 'strides' must be INTS, is INT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %conv = onnx.Conv(%x, %x) {strides = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// Floats for integers.
// CHECK: error: node "conv" (Conv, opset 17): attribute 'strides' must be INTS, is FLOATS
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %conv = onnx.Conv(%x, %x) {strides = array<f32: 2.000000e+00, 2.000000e+00>} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// A misspelt attribute.
// CHECK: error: node "conv_transpose" (ConvTranspose, opset 17): unknown attribute 'output_paddings'; ConvTranspose has: auto_pad, dilations, group, kernel_shape, output_padding, output_shape, pads, strides
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %conv_transpose = onnx.ConvTranspose(%x, %x) {output_paddings = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// Weights of another type.
// CHECK: error: node "conv" (Conv, opset 17): input 1 (W) is tensor(float16), but T is tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf16>) {
    %conv = onnx.Conv(%x, %w) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf16>) -> tensor<1x6x6x6xf32>
    func.return
  }
}

// -----

// Integers.
// CHECK: error: node "conv" (Conv, opset 17): input 0 (X) may not be tensor(int64)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xi64>) {
    %conv = onnx.Conv(%x, %x) : (tensor<1x4x8x8xi64>, tensor<1x4x8x8xi64>) -> tensor<1x6x6x6xi64>
    func.return
  }
}

// -----

// DeformConv came with opset 19.
// CHECK: error: node "deform_conv" (DeformConv, opset 18): DeformConv is not in opset 18: it came with opset 19
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %deform_conv = onnx.DeformConv(%x, %x, %x) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32>
    func.return
  }
}
