// What passes do with pipeline stages: an operation has those of the node whose value it computes.
// RUN: ramiel-opt %s -p onnx-common-subexpressions,onnx-fold-batch-norm | filecheck %s
// RUN: ramiel-opt %s -p onnx-common-subexpressions,onnx-fold-batch-norm,onnx-to-torch,torch-fuse-residual,torch-fuse-activation | filecheck %s --check-prefix FUSED

builtin.module attributes {onnx.opset = 17 : i64, onnx.configurations = ["three"]} {
  func.func @main(%x: tensor<1x1x4x4xf32>, %z: tensor<1x1x4x4xf32>) -> (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) {
    %w = onnx.Constant() {value = dense<2.0> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
    %s = onnx.Constant() {value = dense<1.0> : tensor<1xf32>} : () -> tensor<1xf32>
    %c = onnx.Conv "conv"(%x, %w) {onnx.stages = array<i64: 0>} : (tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x4x4xf32>
    %n = onnx.BatchNormalization "norm"(%c, %s, %s, %s, %s) {onnx.stages = array<i64: 1>} : (tensor<1x1x4x4xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x4x4xf32>
    %r = onnx.Relu "relu"(%n) {onnx.stages = array<i64: 2>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
    %d = onnx.Sin "first"(%z) {onnx.stages = array<i64: 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
    %e = onnx.Sin "again"(%z) {onnx.stages = array<i64: 2>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
    %f = onnx.Add "add"(%d, %e) {onnx.stages = array<i64: 2>} : (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
    func.return %r, %f : tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>
  }
}

// CHECK:      onnx.Conv "conv"{{.*}}onnx.stages = array<i64: 1>
// CHECK-NEXT: onnx.Relu "relu"
// CHECK-NEXT: onnx.Sin "first"{{.*}}onnx.stages = array<i64: 1>
// CHECK-NEXT: onnx.Add

// FUSED:      torch.layer Conv2d{{.*}}activation = "relu"{{.*}}torch.node = "conv"{{.*}}torch.stages = array<i64: 2>
// FUSED-NEXT: torch.call torch.sin{{.*}}torch.stages = array<i64: 1>
// FUSED-NEXT: torch.call operator.add{{.*}}torch.stages = array<i64: 2>
