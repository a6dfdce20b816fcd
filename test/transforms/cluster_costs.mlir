// RUN: ramiel-opt %s -p cluster-costs | filecheck %s

// A cost for each call and layer, by the work that its shapes imply; a weight costs nothing.
func.func @main(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32> {
  %w = torch.weight "scale" : tensor<64x1x1xf32>
  %0 = torch.layer Conv2d(%x) {padding = 1} weights {weight = "w" : tensor<64x64x3x3xf32>} : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %1 = torch.call operator.mul(%0, %w) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32>
  %2 = torch.call Tensor.reshape(%1, 64, -1) : (tensor<1x64x56x56xf32>) -> tensor<64x3136xf32>
  %3 = torch.call torch.full([2, 2], 0.0) : () -> tensor<2x2xf32>
  func.return %1 : tensor<1x64x56x56xf32>
}

// CHECK:      torch.weight "scale" : tensor<64x1x1xf32>
// CHECK-NEXT: torch.layer Conv2d{{.*}}cluster.cost = {{[0-9.e+]+}} : f64
// CHECK-NEXT: torch.call operator.mul{{.*}}cluster.cost = {{[0-9.e+]+}} : f64
// CHECK-NEXT: torch.call Tensor.reshape{{.*}}cluster.cost = {{[0-9.e+]+}} : f64
// CHECK-NEXT: torch.call torch.full{{.*}}cluster.cost = {{[0-9.e+]+}} : f64
