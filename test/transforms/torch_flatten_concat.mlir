// RUN: ramiel-opt -p torch-flatten-concat %s | filecheck %s

// Along the same dimension, however it is counted. The values keep their order.
// CHECK-LABEL: func.func @chain(
// CHECK-NEXT:  %y = torch.call torch.cat([%d, %a, %b, %c], dim = 1)
// CHECK-NEXT:  func.return %y
func.func @chain(%a: tensor<1x2x4xf32>, %b: tensor<1x2x4xf32>, %c: tensor<1x2x4xf32>, %d: tensor<1x2x4xf32>) -> tensor<1x8x4xf32> {
  %1 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x4x4xf32>
  %2 = torch.call torch.cat([%1, %c], dim = -2) : (tensor<1x4x4xf32>, tensor<1x2x4xf32>) -> tensor<1x6x4xf32>
  %y = torch.call torch.cat([%d, %2], dim = 1) : (tensor<1x2x4xf32>, tensor<1x6x4xf32>) -> tensor<1x8x4xf32>
  func.return %y : tensor<1x8x4xf32>
}

// Two within one.
// CHECK-LABEL: func.func @tree(
// CHECK-NEXT:  %y = torch.call torch.cat([%a, %b, %c, %d], dim = 1)
// CHECK-NEXT:  func.return %y
func.func @tree(%a: tensor<1x2x4xf32>, %b: tensor<1x2x4xf32>, %c: tensor<1x2x4xf32>, %d: tensor<1x2x4xf32>) -> tensor<1x8x4xf32> {
  %1 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x4x4xf32>
  %2 = torch.call torch.cat([%c, %d], dim = 1) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x4x4xf32>
  %y = torch.call torch.cat([%1, %2], dim = 1) : (tensor<1x4x4xf32>, tensor<1x4x4xf32>) -> tensor<1x8x4xf32>
  func.return %y : tensor<1x8x4xf32>
}

// What stays: a concatenation that is returned, one that stands twice, and another dimension.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %p = torch.call torch.cat([%a, %b], dim = 1)
// CHECK-NEXT:  %q = torch.call torch.cat([%p, %c], dim = 1)
// CHECK-NEXT:  %r = torch.call torch.cat([%a, %b], dim = 0)
// CHECK-NEXT:  %t = torch.call torch.cat([%c, %d], dim = 0)
// CHECK-NEXT:  %u = torch.call torch.cat([%t, %r, %r], dim = 1)
// CHECK-NEXT:  func.return %p, %q, %u
func.func @kept(%a: tensor<1x2x4xf32>, %b: tensor<1x2x4xf32>, %c: tensor<1x2x4xf32>, %d: tensor<1x2x4xf32>) -> (tensor<1x4x4xf32>, tensor<1x6x4xf32>, tensor<2x6x4xf32>) {
  %p = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x4x4xf32>
  %q = torch.call torch.cat([%p, %c], dim = 1) : (tensor<1x4x4xf32>, tensor<1x2x4xf32>) -> tensor<1x6x4xf32>
  %r = torch.call torch.cat([%a, %b], dim = 0) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<2x2x4xf32>
  %s = torch.call torch.cat([%r, %r], dim = 1) : (tensor<2x2x4xf32>, tensor<2x2x4xf32>) -> tensor<2x4x4xf32>
  %t = torch.call torch.cat([%c, %d], dim = 0) : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<2x2x4xf32>
  %u = torch.call torch.cat([%t, %s], dim = 1) : (tensor<2x2x4xf32>, tensor<2x4x4xf32>) -> tensor<2x6x4xf32>
  func.return %p, %q, %u : tensor<1x4x4xf32>, tensor<1x6x4xf32>, tensor<2x6x4xf32>
}
