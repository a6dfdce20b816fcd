// RUN: xdsl-opt -p cse %s | filecheck %s

// Two draws are two, on their own and in branches; what only computes is merged.
// CHECK-LABEL: func.func @draws
// CHECK-COUNT-2: ops.random_normal
// CHECK-COUNT-1: torch.exp
// CHECK-NEXT: func.return
func.func @draws(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = torch.call ops.random_normal([4], 0.0, 1.0, float32) : () -> tensor<4xf32>
  %b = torch.call ops.random_normal([4], 0.0, 1.0, float32) : () -> tensor<4xf32>
  %c = torch.call torch.exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %a, %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @branches
// CHECK-COUNT-2: torch.if
// CHECK-COUNT-1: torch.if
// CHECK: func.return
func.func @branches(%k: tensor<i1>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = torch.if(%k) ({
    %p = torch.call ops.random_uniform([4], 0.0, 1.0, float32) : () -> tensor<4xf32>
    torch.yield %p : tensor<4xf32>
  }, {
    %q = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    torch.yield %q : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  %b = torch.if(%k) ({
    %p = torch.call ops.random_uniform([4], 0.0, 1.0, float32) : () -> tensor<4xf32>
    torch.yield %p : tensor<4xf32>
  }, {
    %q = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    torch.yield %q : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  %c = torch.if(%k) ({
    %p = torch.call torch.full([4], 1.0) : () -> tensor<4xf32>
    torch.yield %p : tensor<4xf32>
  }, {
    %q = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    torch.yield %q : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  func.return %a, %b, %c, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
