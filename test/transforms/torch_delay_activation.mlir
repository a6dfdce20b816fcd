// RUN: ramiel-opt -p torch-delay-activation %s | filecheck %s

// The pool comes first, and the activation of a quarter of the numbers.
// CHECK-LABEL: func.func @relu(
// CHECK-NEXT:  %{{.*}} = torch.call F.max_pool2d(%x, kernel_size = 2, stride = 2) {torch.node = "/relu", torch.op = "Relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
// CHECK-NEXT:  %y = torch.call F.relu(%{{.*}}) {torch.node = "/pool", torch.op = "MaxPool"} : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
// CHECK-NEXT:  func.return %y
func.func @relu(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %r = torch.call F.relu(%x) {torch.node = "/relu", torch.op = "Relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.call F.max_pool2d(%r, kernel_size = 2, stride = 2) {torch.node = "/pool", torch.op = "MaxPool"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  func.return %y : tensor<1x4x4x4xf32>
}

// Through a concatenation, if all of its parts have the same activation.
// CHECK-LABEL: func.func @joined(
// CHECK-NEXT:  %c = torch.call torch.cat([%a, %b], dim = 1)
// CHECK-NEXT:  %{{.*}} = torch.call F.max_pool2d(%c, kernel_size = 2, stride = 2)
// CHECK-NEXT:  %y = torch.call torch.clamp(%{{.*}}, min = 0, max = 6) : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
// CHECK-NEXT:  func.return %y
func.func @joined(%a: tensor<1x2x8x8xf32>, %b: tensor<1x2x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %p = torch.call torch.clamp(%a, min = 0, max = 6) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %q = torch.call torch.clamp(%b, min = 0, max = 6) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %c = torch.call torch.cat([%p, %q], dim = 1) : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.call F.max_pool2d(%c, kernel_size = 2, stride = 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  func.return %y : tensor<1x4x4x4xf32>
}

// Not with two activations, for a second reader, for a pool that keeps the size, for an activation
// that does not keep the order, or for one part twice.
// CHECK-LABEL: func.func @not(
// CHECK:       torch.cat([%p, %q], dim = 1)
// CHECK:       F.max_pool2d(%c
// CHECK:       F.max_pool2d(%r
// CHECK:       F.max_pool2d(%s
// CHECK:       F.max_pool2d(%t
// CHECK:       torch.cat([%u, %u], dim = 1)
// CHECK:       F.max_pool2d(%d
// CHECK-NEXT:  func.return
func.func @not(%a: tensor<1x2x8x8xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>, tensor<1x2x4x4xf32>, tensor<1x4x4x4xf32>) {
  %p = torch.call torch.clamp(%a, min = 0, max = 6) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %q = torch.call torch.clamp(%a, min = 0, max = 5) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %c = torch.call torch.cat([%p, %q], dim = 1) : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x4x8x8xf32>
  %0 = torch.call F.max_pool2d(%c, kernel_size = 2, stride = 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %r = torch.call F.relu(%a) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %1 = torch.call F.max_pool2d(%r, kernel_size = 2, stride = 2) : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32>
  %s = torch.call F.relu(%a) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %2 = torch.call F.max_pool2d(%s, kernel_size = 3, stride = 1, padding = 1) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %t = torch.call F.silu(%a) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %3 = torch.call F.max_pool2d(%t, kernel_size = 2, stride = 2) : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32>
  %u = torch.call F.relu(%a) : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %d = torch.call torch.cat([%u, %u], dim = 1) : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x4x8x8xf32>
  %4 = torch.call F.max_pool2d(%d, kernel_size = 2, stride = 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  func.return %0, %1, %r, %2, %3, %4 : tensor<1x4x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>, tensor<1x2x4x4xf32>, tensor<1x4x4x4xf32>
}
