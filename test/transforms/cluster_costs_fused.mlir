// RUN: ramiel-opt -p 'cluster-costs{device="cuda:h100"}' %s | filecheck %s
// RUN: ramiel-opt -p 'torch-fuse-pointwise,cluster-costs{device="cuda:h100"}' %s | filecheck %s --check-prefix FUSED

// Fused calls are one kernel, which reads the operands once and writes the result.

// CHECK: torch.call operator.add(%x, %b) {cluster.cost = 7.210000e+00 : f64
// CHECK: torch.call torch.abs(%a) {cluster.cost = 5.540000e+00 : f64
// CHECK: torch.call F.relu(%s) {cluster.cost = 5.540000e+00 : f64
// FUSED: torch.fused(%x, %b)
// FUSED: torch.yield
// FUSED-NEXT: cluster.cost = 7.210000e+00 : f64
func.func @f(%x: tensor<8x64x64x64xf32>, %b: tensor<8x64x64x64xf32>) -> tensor<8x64x64x64xf32> {
  %a = torch.call operator.add(%x, %b) : (tensor<8x64x64x64xf32>, tensor<8x64x64x64xf32>) -> tensor<8x64x64x64xf32>
  %s = torch.call torch.abs(%a) : (tensor<8x64x64x64xf32>) -> tensor<8x64x64x64xf32>
  %y = torch.call F.relu(%s) : (tensor<8x64x64x64xf32>) -> tensor<8x64x64x64xf32>
  func.return %y : tensor<8x64x64x64xf32>
}
