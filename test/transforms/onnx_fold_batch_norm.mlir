// RUN: ramiel-opt --split-input-file -p onnx-fold-batch-norm,onnx-dead-code %s | filecheck %s

// With and without a bias; the convolution keeps its name and attributes, the result the norm's.
// CHECK: func.func @folded
// CHECK-NEXT: %[[W:.+]] = onnx.Weight "w.bn" : tensor<2x1x1x1xf32>
// CHECK-NEXT: %[[B:.+]] = onnx.Weight "w.bn.bias" : tensor<2xf32>
// CHECK-NEXT: %y = onnx.Conv "conv"(%x, %[[W]], %[[B]]) {strides = array<i64: 2, 2>}
// CHECK-NEXT: %[[V:.+]] = onnx.Weight "w.bn.2" : tensor<2x1x1x1xf32>
// CHECK-NEXT: %[[C:.+]] = onnx.Weight "w.bn.bias.2" : tensor<2xf32>
// CHECK-NEXT: %z = onnx.Conv(%x, %[[V]], %[[C]])
// CHECK-NEXT: func.return %y, %z
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @folded(%x: tensor<1x1x4x4xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x4x4xf32>) {
    %w = onnx.Constant() {value = dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
    %p = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %c = onnx.Conv "conv"(%x, %w) {strides = array<i64: 2, 2>} : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x2x2xf32>
    %y = onnx.BatchNormalization "bn"(%c, %p, %p, %p, %p) : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
    %d = onnx.Conv(%x, %w, %p) : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    %z = onnx.BatchNormalization(%d, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    func.return %y, %z : tensor<1x2x2x2xf32>, tensor<1x2x4x4xf32>
  }
}

// -----

// A transposed convolution.
// CHECK: %y = onnx.ConvTranspose(%x, %{{.+}}, %{{.+}}) : (tensor<1x1x4x4xf32>, tensor<1x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @transposed(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
    %w = onnx.Constant() {value = dense<[[[[1.0]], [[2.0]]]]> : tensor<1x2x1x1xf32>} : () -> tensor<1x2x1x1xf32>
    %p = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %c = onnx.ConvTranspose(%x, %w) : (tensor<1x1x4x4xf32>, tensor<1x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %y = onnx.BatchNormalization(%c, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    func.return %y : tensor<1x2x4x4xf32>
  }
}

// -----

// Kept: a convolution with two uses, parameters that are inputs, weights that are inputs, and
// statistics that training changes.
// CHECK: func.func @kept
// CHECK: %a = onnx.Conv(%x, %w)
// CHECK: %a1 = onnx.BatchNormalization(%a,
// CHECK: %b = onnx.Conv(%x, %w)
// CHECK: %b1 = onnx.BatchNormalization(%b, %q,
// CHECK: %c = onnx.Conv(%x, %v)
// CHECK: %c1 = onnx.BatchNormalization(%c,
// CHECK: %d = onnx.Conv(%x, %w)
// CHECK: %d1, %d2, %d3 = onnx.BatchNormalization(%d,
// CHECK: %e1 = onnx.BatchNormalization(%x,
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @kept(%x: tensor<1x2x4x4xf32>, %q: tensor<2xf32>, %v: tensor<2x2x1x1xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
    %w = onnx.Weight "w" : tensor<2x2x1x1xf32>
    %p = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %a = onnx.Conv(%x, %w) : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %a1 = onnx.BatchNormalization(%a, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    %b = onnx.Conv(%x, %w) : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %b1 = onnx.BatchNormalization(%b, %q, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    %c = onnx.Conv(%x, %v) : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %c1 = onnx.BatchNormalization(%c, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    %d = onnx.Conv(%x, %w) : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %d1, %d2, %d3 = onnx.BatchNormalization(%d, %p, %p, %p, %p) {training_mode = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>)
    %e1 = onnx.BatchNormalization(%x, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    func.return %a, %a1, %b1, %c1, %d1, %e1 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
  }
}

// -----

// Weights whose bytes nobody has stay as they are.
// CHECK: onnx.BatchNormalization
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @nameless(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
    %w = onnx.Weight "w" : tensor<2x2x1x1xf32>
    %p = onnx.Weight "p" : tensor<2xf32>
    %a = onnx.Conv(%x, %w) : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    %y = onnx.BatchNormalization(%a, %p, %p, %p, %p) : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    func.return %y : tensor<1x2x4x4xf32>
  }
}
