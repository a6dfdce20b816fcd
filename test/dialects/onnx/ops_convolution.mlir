// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Convolutions, with INTS and STRING attributes.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @convolutions(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %wt: tensor<4x6x3x3xf32>, %dw: tensor<4x1x3x3xf32>, %b: tensor<6xf32>, %off: tensor<1x18x6x6xf32>, %m: tensor<1x9x6x6xf32>, %v: tensor<1x4x8xf32>, %v1: tensor<2x4x3xf32>, %c: tensor<1x5x5x5x5xf32>, %c1: tensor<2x5x1x2x3xf32>) {
  func.func @convolutions(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %wt: tensor<4x6x3x3xf32>, %dw: tensor<4x1x3x3xf32>, %b: tensor<6xf32>, %off: tensor<1x18x6x6xf32>, %m: tensor<1x9x6x6xf32>, %v: tensor<1x4x8xf32>, %v1: tensor<2x4x3xf32>, %c: tensor<1x5x5x5x5xf32>, %c1: tensor<2x5x1x2x3xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %conv = onnx.Conv "/conv1/Conv"(%x, %w, %b) {dilations = array<i64: 1, 1>, group = 1 : i64, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x4xf32>
    %conv = onnx.Conv "/conv1/Conv"(%x, %w, %b) {dilations = array<i64: 1, 1>, group = 1 : i64, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x4xf32>
    // CHECK-NEXT: %conv2 = onnx.Conv(%x, %dw) {group = 4 : i64} : (tensor<1x4x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x6x6xf32>
    %conv2 = onnx.Conv(%x, %dw) {group = 4 : i64} : (tensor<1x4x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x6x6xf32>
    // CHECK-NEXT: %conv3 = onnx.Conv(%x, %w) {auto_pad = "SAME_UPPER"} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
    %conv3 = onnx.Conv(%x, %w) {auto_pad = "SAME_UPPER"} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
    // CHECK-NEXT: %conv4 = onnx.Conv(%v, %v1) : (tensor<1x4x8xf32>, tensor<2x4x3xf32>) -> tensor<1x2x6xf32>
    %conv4 = onnx.Conv(%v, %v1) : (tensor<1x4x8xf32>, tensor<2x4x3xf32>) -> tensor<1x2x6xf32>
    // CHECK-NEXT: %conv5 = onnx.Conv(%c, %c1) : (tensor<1x5x5x5x5xf32>, tensor<2x5x1x2x3xf32>) -> tensor<1x2x5x4x3xf32>
    %conv5 = onnx.Conv(%c, %c1) : (tensor<1x5x5x5x5xf32>, tensor<2x5x1x2x3xf32>) -> tensor<1x2x5x4x3xf32>
    // CHECK-NEXT: %conv_transpose = onnx.ConvTranspose(%x, %wt, %b) {output_padding = array<i64: 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32>, tensor<6xf32>) -> tensor<1x6x18x18xf32>
    %conv_transpose = onnx.ConvTranspose(%x, %wt, %b) {output_padding = array<i64: 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32>, tensor<6xf32>) -> tensor<1x6x18x18xf32>
    // CHECK-NEXT: %conv_transpose2 = onnx.ConvTranspose(%x, %wt) {output_shape = array<i64: 17, 17>} : (tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32>) -> tensor<1x6x17x17xf32>
    %conv_transpose2 = onnx.ConvTranspose(%x, %wt) {output_shape = array<i64: 17, 17>} : (tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32>) -> tensor<1x6x17x17xf32>
    // CHECK-NEXT: %deform_conv = onnx.DeformConv(%x, %w, %off, %b, %m) {kernel_shape = array<i64: 3, 3>, offset_group = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x18x6x6xf32>, tensor<6xf32>, tensor<1x9x6x6xf32>) -> tensor<1x6x6x6xf32>
    %deform_conv = onnx.DeformConv(%x, %w, %off, %b, %m) {kernel_shape = array<i64: 3, 3>, offset_group = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x18x6x6xf32>, tensor<6xf32>, tensor<1x9x6x6xf32>) -> tensor<1x6x6x6xf32>
    // CHECK-NEXT: %deform_conv2 = onnx.DeformConv(%x, %w, %off, %none, %m) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x18x6x6xf32>, none, tensor<1x9x6x6xf32>) -> tensor<1x6x6x6xf32>
    %deform_conv2 = onnx.DeformConv(%x, %w, %off, %none, %m) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x18x6x6xf32>, none, tensor<1x9x6x6xf32>) -> tensor<1x6x6x6xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @columns(%x: tensor<1x20x9xf32>, %size: tensor<2xi64>, %block: tensor<2xi64>) {
  func.func @columns(%x: tensor<1x20x9xf32>, %size: tensor<2xi64>, %block: tensor<2xi64>) {
    // CHECK-NEXT: %col2_im = onnx.Col2Im(%x, %size, %block) {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x20x9xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<1x5x4x4xf32>
    %col2_im = onnx.Col2Im(%x, %size, %block) {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x20x9xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<1x5x4x4xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
