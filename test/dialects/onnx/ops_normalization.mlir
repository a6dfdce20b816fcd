// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Normalisation, dropout and losses.

// CHECK: builtin.module attributes {onnx.opset = 23 : i64} {
builtin.module attributes {onnx.opset = 23 : i64} {
  // CHECK: func.func @normalization(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>, %l: tensor<8xf32>) {
  func.func @normalization(%x: tensor<1x4x8x8xf32>, %c: tensor<4xf32>, %l: tensor<8xf32>) {
    // CHECK-NEXT: %batch_normalization = onnx.BatchNormalization "bn"(%x, %c, %c, %c, %c) {epsilon = 1.000000e-05 : f32, momentum = 9.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    %batch_normalization = onnx.BatchNormalization "bn"(%x, %c, %c, %c, %c) {epsilon = 1.000000e-05 : f32, momentum = 9.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %batch_normalization2.a, %batch_normalization2.b, %batch_normalization2.c = onnx.BatchNormalization(%x, %c, %c, %c, %c) {training_mode = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>)
    %batch_normalization2.a, %batch_normalization2.b, %batch_normalization2.c = onnx.BatchNormalization(%x, %c, %c, %c, %c) {training_mode = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>)
    // CHECK-NEXT: %instance_normalization = onnx.InstanceNormalization(%x, %c, %c) {epsilon = 5.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    %instance_normalization = onnx.InstanceNormalization(%x, %c, %c) {epsilon = 5.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %group_normalization = onnx.GroupNormalization(%x, %c, %c) {num_groups = 2 : i64, stash_type = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    %group_normalization = onnx.GroupNormalization(%x, %c, %c) {num_groups = 2 : i64, stash_type = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %layer_normalization = onnx.LayerNormalization(%x, %l) {axis = -1 : i64} : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
    %layer_normalization = onnx.LayerNormalization(%x, %l) {axis = -1 : i64} : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %layer_normalization2.a, %layer_normalization2.b, %layer_normalization2.c = onnx.LayerNormalization(%x, %l, %l) {axis = 3 : i64} : (tensor<1x4x8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x1xf32>, tensor<1x4x8x1xf32>)
    %layer_normalization2.a, %layer_normalization2.b, %layer_normalization2.c = onnx.LayerNormalization(%x, %l, %l) {axis = 3 : i64} : (tensor<1x4x8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x1xf32>, tensor<1x4x8x1xf32>)
    // CHECK-NEXT: %rmsnormalization = onnx.RMSNormalization(%x, %l) : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
    %rmsnormalization = onnx.RMSNormalization(%x, %l) : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %lp_normalization = onnx.LpNormalization(%x) {axis = 1 : i64, p = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %lp_normalization = onnx.LpNormalization(%x) {axis = 1 : i64, p = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %mean_variance_normalization = onnx.MeanVarianceNormalization(%x) {axes = array<i64: 0, 2, 3>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %mean_variance_normalization = onnx.MeanVarianceNormalization(%x) {axes = array<i64: 0, 2, 3>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: %lrn = onnx.LRN(%x) {alpha = 5.000000e-01 : f32, beta = 7.500000e-01 : f32, bias = 1.000000e+00 : f32, size = 5 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %lrn = onnx.LRN(%x) {alpha = 5.000000e-01 : f32, beta = 7.500000e-01 : f32, bias = 1.000000e+00 : f32, size = 5 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @dropout(%x: tensor<2x4xf32>, %ratio: tensor<f32>, %training: tensor<i1>) {
  func.func @dropout(%x: tensor<2x4xf32>, %ratio: tensor<f32>, %training: tensor<i1>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %dropout = onnx.Dropout(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %dropout = onnx.Dropout(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %dropout2.a, %dropout2.b = onnx.Dropout(%x, %ratio) {seed = 7 : i64} : (tensor<2x4xf32>, tensor<f32>) -> (tensor<2x4xf32>, tensor<2x4xi1>)
    %dropout2.a, %dropout2.b = onnx.Dropout(%x, %ratio) {seed = 7 : i64} : (tensor<2x4xf32>, tensor<f32>) -> (tensor<2x4xf32>, tensor<2x4xi1>)
    // CHECK-NEXT: %dropout3 = onnx.Dropout(%x, %none, %training) : (tensor<2x4xf32>, none, tensor<i1>) -> tensor<2x4xf32>
    %dropout3 = onnx.Dropout(%x, %none, %training) : (tensor<2x4xf32>, none, tensor<i1>) -> tensor<2x4xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @losses(%scores: tensor<2x4xf32>, %labels: tensor<2xi64>, %w: tensor<4xf32>) {
  func.func @losses(%scores: tensor<2x4xf32>, %labels: tensor<2xi64>, %w: tensor<4xf32>) {
    // CHECK-NEXT: %softmax_cross_entropy_loss = onnx.SoftmaxCrossEntropyLoss(%scores, %labels) {reduction = "sum"} : (tensor<2x4xf32>, tensor<2xi64>) -> tensor<f32>
    %softmax_cross_entropy_loss = onnx.SoftmaxCrossEntropyLoss(%scores, %labels) {reduction = "sum"} : (tensor<2x4xf32>, tensor<2xi64>) -> tensor<f32>
    // CHECK-NEXT: %softmax_cross_entropy_loss2.a, %softmax_cross_entropy_loss2.b = onnx.SoftmaxCrossEntropyLoss(%scores, %labels, %w) {ignore_index = -1 : i64} : (tensor<2x4xf32>, tensor<2xi64>, tensor<4xf32>) -> (tensor<f32>, tensor<2x4xf32>)
    %softmax_cross_entropy_loss2.a, %softmax_cross_entropy_loss2.b = onnx.SoftmaxCrossEntropyLoss(%scores, %labels, %w) {ignore_index = -1 : i64} : (tensor<2x4xf32>, tensor<2xi64>, tensor<4xf32>) -> (tensor<f32>, tensor<2x4xf32>)
    // CHECK-NEXT: %negative_log_likelihood_loss = onnx.NegativeLogLikelihoodLoss(%scores, %labels, %w) {reduction = "none"} : (tensor<2x4xf32>, tensor<2xi64>, tensor<4xf32>) -> tensor<2xf32>
    %negative_log_likelihood_loss = onnx.NegativeLogLikelihoodLoss(%scores, %labels, %w) {reduction = "none"} : (tensor<2x4xf32>, tensor<2xi64>, tensor<4xf32>) -> tensor<2xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
