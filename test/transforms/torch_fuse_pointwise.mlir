// RUN: ramiel-opt -p torch-fuse-pointwise %s | filecheck %s

// A tree with a value that two calls of it use, a weight, and what a convolution hands over.
// CHECK-LABEL: func.func @tree(
// CHECK-NEXT:  %w = torch.weight "w"
// CHECK-NEXT:  %y = torch.fused(%x, %w, %b) ({
// CHECK-NEXT:  ^bb0(%x_1: tensor<2x4xf32>, %w_1: tensor<4xf32>, %b_1: tensor<2x4xf32>):
// CHECK-NEXT:    %[[A:.*]] = torch.call operator.add(%x_1, %w_1)
// CHECK-NEXT:    %[[S:.*]] = torch.call torch.sigmoid(%[[A]])
// CHECK-NEXT:    %[[M:.*]] = torch.call operator.mul(%[[A]], %[[S]])
// CHECK-NEXT:    %[[R:.*]] = torch.call F.relu(%b_1)
// CHECK-NEXT:    %[[Y:.*]] = torch.call operator.add(%[[M]], %[[R]])
// CHECK-NEXT:    torch.yield %[[Y]] : tensor<2x4xf32>
// CHECK-NEXT:  }) {torch.node = "/Add", torch.op = "Add"} : (tensor<2x4xf32>, tensor<4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:  func.return %y
func.func @tree(%x: tensor<2x4xf32>, %b: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = torch.weight "w" : tensor<4xf32>
  %a = torch.call operator.add(%x, %w) : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %s = torch.call torch.sigmoid(%a) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%a, %s) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = torch.call F.relu(%b) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.add(%m, %r) {torch.node = "/Add", torch.op = "Add"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// A value that is read elsewhere ends a group; one call alone stays, and so does what is no call on
// each element.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %a = torch.call torch.exp(%x)
// CHECK-NEXT:  %c = torch.call torch.cat([%a, %x], dim = 0)
// CHECK-NEXT:  %y = torch.fused(%a) ({
// CHECK-NEXT:  ^bb0(%a_1: tensor<4xf32>):
// CHECK-NEXT:    %[[R:.*]] = torch.call F.relu(%a_1)
// CHECK-NEXT:    %[[Y:.*]] = torch.call operator.add(%[[R]], 1.0)
// CHECK-NEXT:    torch.yield %[[Y]]
// CHECK-NEXT:  }) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:  func.return %c, %y
func.func @kept(%x: tensor<4xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  %a = torch.call torch.exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.cat([%a, %x], dim=0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %r = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %y = torch.call operator.add(%r, 1.0) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %c, %y : tensor<8xf32>, tensor<4xf32>
}
