// RUN: ramiel-opt -p torch-recognize-attention %s | filecheck %s

// With the scale that is the default.
// CHECK-LABEL: func.func @attention(
// CHECK-NEXT:  %y = torch.call F.scaled_dot_product_attention(%q, %k, %v, attn_mask = %mask)
// CHECK-NEXT:  func.return %y
func.func @attention(%q: tensor<1x2x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x8xf32>, %mask: tensor<1x1x3x5xf32>) -> tensor<1x2x3x8xf32> {
  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2) : (tensor<1x2x5x8xf32>) -> tensor<1x2x8x5xf32>
  %s = torch.call operator.matmul(%q, %t) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %c = torch.call operator.mul(%s, 0.35355338) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %a = torch.call operator.add(%c, %mask) : (tensor<1x2x3x5xf32>, tensor<1x1x3x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%a, dim = -1) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %y : tensor<1x2x3x8xf32>
}

// The heads split off: the permutation keeps its part in that. Another scale, and no mask.
// CHECK-LABEL: func.func @heads(
// CHECK-NEXT:  %t = torch.call Tensor.permute(%h, 0, 2, 1, 3)
// CHECK-NEXT:  %y = torch.call F.scaled_dot_product_attention(%q, %t, %v, scale = 0.5)
// CHECK-NEXT:  func.return %y
func.func @heads(%q: tensor<1x2x3x8xf32>, %h: tensor<1x5x2x8xf32>, %v: tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32> {
  %t = torch.call Tensor.permute(%h, 0, 2, 3, 1) : (tensor<1x5x2x8xf32>) -> tensor<1x2x8x5xf32>
  %s = torch.call operator.matmul(%q, %t) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %c = torch.call operator.truediv(%s, 2.0) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%c, dim = 3) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %y : tensor<1x2x3x8xf32>
}

// The scale on the queries and the keys.
// CHECK-LABEL: func.func @scaled_factors(
// CHECK-NEXT:  %y = torch.call F.scaled_dot_product_attention(%q, %k, %v, attn_mask = %mask, scale = 0.25)
// CHECK-NEXT:  func.return %y
func.func @scaled_factors(%q: tensor<1x2x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x8xf32>, %mask: tensor<1x1x3x5xf32>) -> tensor<1x2x3x8xf32> {
  %u = torch.call operator.mul(%q, 0.5) : (tensor<1x2x3x8xf32>) -> tensor<1x2x3x8xf32>
  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2) : (tensor<1x2x5x8xf32>) -> tensor<1x2x8x5xf32>
  %r = torch.call operator.mul(%t, 0.5) : (tensor<1x2x8x5xf32>) -> tensor<1x2x8x5xf32>
  %s = torch.call operator.matmul(%u, %r) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %a = torch.call operator.add(%mask, %s) : (tensor<1x1x3x5xf32>, tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%a, dim = -1) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %y : tensor<1x2x3x8xf32>
}

// No scale is a scale of 1.
// CHECK-LABEL: func.func @three_dimensions(
// CHECK-NEXT:  %y = torch.call F.scaled_dot_product_attention(%q, %k, %k, scale = 1.0)
// CHECK-NEXT:  func.return %y
func.func @three_dimensions(%q: tensor<2x3x8xf32>, %k: tensor<2x5x8xf32>) -> tensor<2x3x8xf32> {
  %t = torch.call Tensor.mT(%k) : (tensor<2x5x8xf32>) -> tensor<2x8x5xf32>
  %s = torch.call operator.matmul(%q, %t) : (tensor<2x3x8xf32>, tensor<2x8x5xf32>) -> tensor<2x3x5xf32>
  %w = torch.call F.softmax(%s, dim = 2) : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %y = torch.call operator.matmul(%w, %k) : (tensor<2x3x5xf32>, tensor<2x5x8xf32>) -> tensor<2x3x8xf32>
  func.return %y : tensor<2x3x8xf32>
}

// What stays: attention weights that are returned, ...
// CHECK-LABEL: func.func @weights_used(
// CHECK-NEXT:  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2)
// CHECK-NEXT:  %s = torch.call operator.matmul(%q, %t)
// CHECK-NEXT:  %c = torch.call operator.mul(%s, 0.35355338)
// CHECK-NEXT:  %a = torch.call operator.add(%c, %mask)
// CHECK-NEXT:  %w = torch.call F.softmax(%a, dim = -1)
// CHECK-NEXT:  %y = torch.call operator.matmul(%w, %v)
// CHECK-NEXT:  func.return %w, %y
func.func @weights_used(%q: tensor<1x2x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x8xf32>, %mask: tensor<1x1x3x5xf32>) -> (tensor<1x2x3x5xf32>, tensor<1x2x3x8xf32>) {
  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2) : (tensor<1x2x5x8xf32>) -> tensor<1x2x8x5xf32>
  %s = torch.call operator.matmul(%q, %t) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %c = torch.call operator.mul(%s, 0.35355338) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %a = torch.call operator.add(%c, %mask) : (tensor<1x2x3x5xf32>, tensor<1x1x3x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%a, dim = -1) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %w, %y : tensor<1x2x3x5xf32>, tensor<1x2x3x8xf32>
}

// ... a softmax along the queries, ...
// CHECK-LABEL: func.func @other_dimension(
// CHECK-NEXT:  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2)
// CHECK-NEXT:  %s = torch.call operator.matmul(%q, %t)
// CHECK-NEXT:  %c = torch.call operator.mul(%s, 0.35355338)
// CHECK-NEXT:  %a = torch.call operator.add(%c, %mask)
// CHECK-NEXT:  %w = torch.call F.softmax(%a, dim = 2)
// CHECK-NEXT:  %y = torch.call operator.matmul(%w, %v)
// CHECK-NEXT:  func.return %y
func.func @other_dimension(%q: tensor<1x2x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x8xf32>, %mask: tensor<1x1x3x5xf32>) -> tensor<1x2x3x8xf32> {
  %t = torch.call Tensor.permute(%k, 0, 1, 3, 2) : (tensor<1x2x5x8xf32>) -> tensor<1x2x8x5xf32>
  %s = torch.call operator.matmul(%q, %t) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %c = torch.call operator.mul(%s, 0.35355338) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %a = torch.call operator.add(%c, %mask) : (tensor<1x2x3x5xf32>, tensor<1x1x3x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%a, dim = 2) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %y : tensor<1x2x3x8xf32>
}

// ... a mask that makes more of the scores, ...
// CHECK-LABEL: func.func @wide_mask(
// CHECK-NEXT:  %t = torch.call Tensor.permute(%v, 0, 2, 1)
// CHECK-NEXT:  %m = torch.call operator.matmul(%q, %t)
// CHECK-NEXT:  %a = torch.call operator.add(%m, %mask)
// CHECK-NEXT:  %w = torch.call F.softmax(%a, dim = -1)
// CHECK-NEXT:  %y = torch.call operator.matmul(%w, %v)
// CHECK-NEXT:  func.return %y
func.func @wide_mask(%q: tensor<1x3x8xf32>, %v: tensor<1x5x8xf32>, %mask: tensor<4x3x5xf32>) -> tensor<4x3x8xf32> {
  %t = torch.call Tensor.permute(%v, 0, 2, 1) : (tensor<1x5x8xf32>) -> tensor<1x8x5xf32>
  %m = torch.call operator.matmul(%q, %t) : (tensor<1x3x8xf32>, tensor<1x8x5xf32>) -> tensor<1x3x5xf32>
  %a = torch.call operator.add(%m, %mask) : (tensor<1x3x5xf32>, tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  %w = torch.call F.softmax(%a, dim = -1) : (tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<4x3x5xf32>, tensor<1x5x8xf32>) -> tensor<4x3x8xf32>
  func.return %y : tensor<4x3x8xf32>
}

// ... and keys that nothing transposes.
// CHECK-LABEL: func.func @keys_not_permuted(
// CHECK-NEXT:  %s = torch.call operator.matmul(%q, %t)
// CHECK-NEXT:  %w = torch.call F.softmax(%s, dim = -1)
// CHECK-NEXT:  %y = torch.call operator.matmul(%w, %v)
// CHECK-NEXT:  func.return %y
func.func @keys_not_permuted(%q: tensor<1x2x3x8xf32>, %t: tensor<1x2x8x5xf32>, %v: tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32> {
  %s = torch.call operator.matmul(%q, %t) : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %w = torch.call F.softmax(%s, dim = -1) : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = torch.call operator.matmul(%w, %v) : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  func.return %y : tensor<1x2x3x8xf32>
}
