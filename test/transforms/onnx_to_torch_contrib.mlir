// RUN: ramiel-opt --split-input-file -p onnx-to-torch,torch-fuse-bias,torch-fuse-residual,torch-fuse-activation %s | filecheck %s

// A fused convolution becomes the layer that the passes over torch would make of its parts.
// CHECK: %y = torch.layer Conv2d(%x, %z) {padding = 1, activation = "relu"} weights {weight = "w" : tensor<4x3x3x3xf32>} attributes {{{.*}}} : (tensor<1x3x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
func.func @conv(%x: tensor<1x3x8x8xf32>, %z: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %w = onnx.Weight "w" : tensor<4x3x3x3xf32>
  %none = onnx.NoValue() : () -> none
  %y = onnx.Custom "conv"(%x, %w, %none, %z) {onnx.domain = "com.microsoft", onnx.op_type = "FusedConv", activation = "Relu", pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %y : tensor<1x4x8x8xf32>
}

// -----

// A product with a transposed weight is a Linear that takes the weight as it is.
// CHECK: torch.layer Linear(%x) weights {weight = "w" : tensor<5x4xf32>} attributes {{{.*}}} : (tensor<2x3x4xf32>) -> tensor<2x3x5xf32>
// CHECK: torch.call operator.mul({{.*}}, 0.5)
func.func @matmul(%x: tensor<2x3x4xf32>) -> tensor<2x3x5xf32> {
  %w = onnx.Weight "w" : tensor<5x4xf32>
  %y = onnx.Custom(%x, %w) {onnx.domain = "com.microsoft", onnx.op_type = "FusedMatMul", transB = 1 : i64, alpha = 0.5 : f32} : (tensor<2x3x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5xf32>
  func.return %y : tensor<2x3x5xf32>
}

// -----

// The layer before a normalisation takes its bias and its second input.
// CHECK: %0 = torch.layer Linear(%x, %skip) weights {weight = "w" : tensor<4x4xf32>, bias = "b" : tensor<4xf32>}
// CHECK: torch.layer LayerNorm(%0) {eps = {{.*}}} weights {weight = "scale" : tensor<4xf32>}
func.func @norm(%x: tensor<2x4xf32>, %skip: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = onnx.Weight "w" : tensor<4x4xf32>
  %b = onnx.Weight "b" : tensor<4xf32>
  %scale = onnx.Weight "scale" : tensor<4xf32>
  %none = onnx.NoValue() : () -> none
  %p = onnx.Custom(%x, %w) {onnx.domain = "com.microsoft", onnx.op_type = "FusedMatMul", transB = 1 : i64} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %y = onnx.Custom(%p, %skip, %scale, %none, %b) {onnx.domain = "com.microsoft", onnx.op_type = "SkipLayerNormalization"} : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, none, tensor<4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}
