// RUN: ramiel-opt --pass-pipeline=torch-merge-convolutions %s | filecheck %s

// On a device, a merged convolution has one launch (2.2 µs), and the work of both on the part that they
// fill together: of 12.2 and 7.2 µs, 10 and 5 are on a quarter each, so 2.5 and 1.25 µs of the whole
// device, which half of it takes 7.5 for. The split moves nothing.
// CHECK:      torch.layer Conv2d{{.*}}cluster.cost = 9.700000e+00 : f64, cluster.share = 3.86
// CHECK-NEXT: torch.call torch.split{{.*}}cluster.cost = 0.000000e+00 : f64, cluster.share = 0.000000e+00
func.func @main(%x: tensor<1x4x8x8xf32>) -> (tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>) attributes {cluster.device = "cuda"} {
  %a = torch.layer Conv2d(%x) weights {weight = "a.weight" : tensor<2x4x1x1xf32>} attributes {cluster.merge = 7 : i64, cluster.cost = 12.2 : f64, cluster.share = 0.2049 : f64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) weights {weight = "b.weight" : tensor<4x4x1x1xf32>} attributes {cluster.merge = 7 : i64, cluster.cost = 7.2 : f64, cluster.share = 0.1736 : f64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %a, %b : tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>
}
