// RUN: ramiel-opt -p torch-recognize-layer-norm %s | filecheck %s

// As PyTorch exports it before opset 17.
// CHECK-LABEL: func.func @layer_norm(
// CHECK-NEXT:  %y = torch.layer LayerNorm(%x) {eps = 1.0e-05} weights {weight = "w" : tensor<8xf32>, bias = "b" : tensor<8xf32>}
// CHECK-NEXT:  func.return %y
func.func @layer_norm(%x: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w = torch.weight "w" : tensor<8xf32>
  %b = torch.weight "b" : tensor<8xf32>
  %m = torch.call torch.mean(%x, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %d = torch.call operator.sub(%x, %m) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %p = torch.call operator.pow(%d, 2) : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %e = torch.call operator.add(%v, 1.0e-05) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %n = torch.call operator.truediv(%d, %s) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %w1 = torch.call operator.mul(%n, %w) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.add(%w1, %b) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}

// A square by multiplication, a reciprocal, and no bias.
// CHECK-LABEL: func.func @spelled_otherwise(
// CHECK-NEXT:  %y = torch.layer LayerNorm(%x) {eps = 1.0e-05} weights {weight = "w" : tensor<8xf32>}
// CHECK-NEXT:  func.return %y
func.func @spelled_otherwise(%x: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w = torch.weight "w" : tensor<8xf32>
  %m = torch.call torch.mean(%x, dim = [2], keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %d = torch.call operator.sub(%x, %m) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %p = torch.call operator.mul(%d, %d) : (tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = 2, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %e = torch.call operator.add(1.0e-05, %v) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %r = torch.call torch.reciprocal(%s) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %n = torch.call operator.mul(%r, %d) : (tensor<2x3x1xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.mul(%w, %n) : (tensor<8xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}

// Without the mean.
// CHECK-LABEL: func.func @rms_norm(
// CHECK-NEXT:  %w = torch.weight "w"
// CHECK-NEXT:  %y = torch.call F.rms_norm(%x, [8], %w, 1.0e-05)
// CHECK-NEXT:  func.return %y
func.func @rms_norm(%x: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w = torch.weight "w" : tensor<8xf32>
  %p = torch.call operator.pow(%x, 2) : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %e = torch.call operator.add(%v, 1.0e-05) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %r = torch.call operator.truediv(1.0, %s) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %n = torch.call operator.mul(%x, %r) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.mul(%n, %w) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}

// What stays: a result before its weight that is returned, ...
// CHECK-LABEL: func.func @normalized_used(
// CHECK-NEXT:  %w = torch.weight "w"
// CHECK-NEXT:  %b = torch.weight "b"
// CHECK-NEXT:  %m = torch.call torch.mean(%x, dim = -1, keepdim = true)
// CHECK-NEXT:  %d = torch.call operator.sub(%x, %m)
// CHECK-NEXT:  %p = torch.call operator.pow(%d, 2)
// CHECK-NEXT:  %v = torch.call torch.mean(%p, dim = -1, keepdim = true)
// CHECK-NEXT:  %e = torch.call operator.add(%v, 1.0e-05)
// CHECK-NEXT:  %s = torch.call torch.sqrt(%e)
// CHECK-NEXT:  %n = torch.call operator.truediv(%d, %s)
// CHECK-NEXT:  %w1 = torch.call operator.mul(%n, %w)
// CHECK-NEXT:  %y = torch.call operator.add(%w1, %b)
// CHECK-NEXT:  func.return %n, %y
func.func @normalized_used(%x: tensor<2x3x8xf32>) -> (tensor<2x3x8xf32>, tensor<2x3x8xf32>) {
  %w = torch.weight "w" : tensor<8xf32>
  %b = torch.weight "b" : tensor<8xf32>
  %m = torch.call torch.mean(%x, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %d = torch.call operator.sub(%x, %m) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %p = torch.call operator.pow(%d, 2) : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %e = torch.call operator.add(%v, 1.0e-05) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %n = torch.call operator.truediv(%d, %s) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %w1 = torch.call operator.mul(%n, %w) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.add(%w1, %b) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  func.return %n, %y : tensor<2x3x8xf32>, tensor<2x3x8xf32>
}

// ... a mean over a dimension that is not the last, ...
// CHECK-LABEL: func.func @other_dimension(
// CHECK-NEXT:  %w = torch.weight "w"
// CHECK-NEXT:  %m = torch.call torch.mean(%x, dim = 1, keepdim = true)
// CHECK-NEXT:  %d = torch.call operator.sub(%x, %m)
// CHECK-NEXT:  %p = torch.call operator.pow(%d, 2)
// CHECK-NEXT:  %v = torch.call torch.mean(%p, dim = 1, keepdim = true)
// CHECK-NEXT:  %e = torch.call operator.add(%v, 1.0e-05)
// CHECK-NEXT:  %s = torch.call torch.sqrt(%e)
// CHECK-NEXT:  %n = torch.call operator.truediv(%d, %s)
// CHECK-NEXT:  %y = torch.call operator.mul(%n, %w)
// CHECK-NEXT:  func.return %y
func.func @other_dimension(%x: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w = torch.weight "w" : tensor<8xf32>
  %m = torch.call torch.mean(%x, dim = 1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x1x8xf32>
  %d = torch.call operator.sub(%x, %m) : (tensor<2x3x8xf32>, tensor<2x1x8xf32>) -> tensor<2x3x8xf32>
  %p = torch.call operator.pow(%d, 2) : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = 1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x1x8xf32>
  %e = torch.call operator.add(%v, 1.0e-05) : (tensor<2x1x8xf32>) -> tensor<2x1x8xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x1x8xf32>) -> tensor<2x1x8xf32>
  %n = torch.call operator.truediv(%d, %s) : (tensor<2x3x8xf32>, tensor<2x1x8xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.mul(%n, %w) : (tensor<2x3x8xf32>, tensor<8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}

// ... and a weight of more dimensions.
// CHECK-LABEL: func.func @wide_weight(
// CHECK-NEXT:  %w = torch.weight "w"
// CHECK-NEXT:  %p = torch.call operator.pow(%x, 2)
// CHECK-NEXT:  %v = torch.call torch.mean(%p, dim = -1, keepdim = true)
// CHECK-NEXT:  %e = torch.call operator.add(%v, 1.0e-05)
// CHECK-NEXT:  %s = torch.call torch.sqrt(%e)
// CHECK-NEXT:  %n = torch.call operator.truediv(%x, %s)
// CHECK-NEXT:  %y = torch.call operator.mul(%n, %w)
// CHECK-NEXT:  func.return %y
func.func @wide_weight(%x: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w = torch.weight "w" : tensor<3x8xf32>
  %p = torch.call operator.pow(%x, 2) : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v = torch.call torch.mean(%p, dim = -1, keepdim = true) : (tensor<2x3x8xf32>) -> tensor<2x3x1xf32>
  %e = torch.call operator.add(%v, 1.0e-05) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %s = torch.call torch.sqrt(%e) : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %n = torch.call operator.truediv(%x, %s) : (tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %y = torch.call operator.mul(%n, %w) : (tensor<2x3x8xf32>, tensor<3x8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}
