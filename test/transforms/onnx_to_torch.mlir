// RUN: ramiel-opt %s -p onnx-to-torch | filecheck %s

// Operators with weights become layers, others calls; constants become literals where they can.
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @main(%x: tensor<1x4x8x8xf32>, %n: tensor<2xi64>) -> (tensor<1x8xf32>, tensor<?x?xf32>) {
    %w = onnx.Weight "conv.w" : tensor<8x4x3x3xf32>
    %fc = onnx.Weight "fc.w" : tensor<8x8xf32>
    %half = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
    %shape = onnx.Constant() {value = dense<[0, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
    %unused = onnx.Weight "unused" : tensor<99xf32>
    %1 = onnx.Conv "conv"(%x, %w) {pads = array<i64: 0, 0, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>, tensor<8x4x3x3xf32>) -> tensor<1x8x4x4xf32>
    %2 = onnx.Mul "half"(%half, %1) : (tensor<f32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %3 = onnx.GlobalAveragePool(%2) : (tensor<1x8x4x4xf32>) -> tensor<1x8x1x1xf32>
    %4 = onnx.Reshape(%3, %shape) : (tensor<1x8x1x1xf32>, tensor<2xi64>) -> tensor<1x8xf32>
    %5 = onnx.MatMul(%4, %fc) : (tensor<1x8xf32>, tensor<8x8xf32>) -> tensor<1x8xf32>
    %6 = onnx.Reshape(%5, %n) : (tensor<1x8xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    func.return %5, %6 : tensor<1x8xf32>, tensor<?x?xf32>
  }
}

// CHECK-NOT:  unused
// CHECK:      %{{.*}} = torch.call F.pad(%x, [0, 1, 0, 1]) {torch.node = "conv", torch.op = "Conv"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x9x9xf32>
// CHECK-NEXT: %{{.*}} = torch.layer Conv2d(%{{.*}}) {stride = 2} weights {weight = "conv.w" : tensor<8x4x3x3xf32>} attributes {torch.node = "conv", torch.op = "Conv"}
// CHECK-NEXT: %{{.*}} = torch.call operator.mul(0.5, %{{.*}}) {torch.node = "half", torch.op = "Mul"}
// CHECK-NEXT: %{{.*}} = torch.call F.adaptive_avg_pool2d(%{{.*}}, 1)
// CHECK-NEXT: %{{.*}} = torch.call Tensor.reshape(%{{.*}}, 1, -1)
// CHECK-NEXT: %{{.*}} = torch.layer Linear(%{{.*}}) weights {weight = "fc.w.T" : tensor<8x8xf32>}
// CHECK-NEXT: %{{.*}} = torch.call ops.reshape(%{{.*}}, %n)
