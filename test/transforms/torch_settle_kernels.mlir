// RUN: ramiel-opt %s -p torch-settle-kernels | filecheck %s

// An operation gets the kernel for the threads that it was placed on, or the one for the nearest
// number below; calls of one layer share that of the first; others keep what they have.
builtin.module {
  func.func @main(%x: tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32> {
    %a = torch.layer Conv2d(%x) {padding = 1, kernel = "winograd"} weights {weight = "a" : tensor<64x64x3x3xf32>} attributes {torch.kernels = {"1" = "", "2" = "winograd"}, cluster.workers = [array<i64: 0>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    %b = torch.layer Conv2d(%a) {padding = 1, kernel = "winograd"} weights {weight = "b" : tensor<64x64x3x3xf32>} attributes {torch.kernels = {"1" = "", "2" = "winograd"}, cluster.workers = [array<i64: 0, 1, 2>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    %c = torch.call F.max_pool2d(%b, kernel_size = 1) {torch.kernels = {"1" = "onednn", "2" = ""}, cluster.workers = [array<i64: 0>, array<i64: 1>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    %d = torch.layer Conv2d(%c) {padding = 1} weights {weight = "d" : tensor<64x64x3x3xf32>} attributes {torch.kernels = {"1" = "plain", "2" = ""}, torch.layer_name = "d", cluster.workers = [array<i64: 0>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    %e = torch.layer Conv2d(%d) {padding = 1} weights {weight = "d" : tensor<64x64x3x3xf32>} attributes {torch.kernels = {"1" = "plain", "2" = ""}, torch.layer_name = "d", cluster.workers = [array<i64: 0, 1>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    %f = torch.layer Conv2d(%e) {padding = 1, kernel = "mkldnn"} weights {weight = "f" : tensor<64x64x3x3xf32>} attributes {cluster.workers = [array<i64: 0>]} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
    func.return %f : tensor<1x64x8x8xf32>
  }
}

// CHECK:      %a = torch.layer Conv2d(%x) {padding = 1} weights
// CHECK-NEXT: %b = torch.layer Conv2d(%a) {padding = 1, kernel = "winograd"} weights
// CHECK-NEXT: %c = torch.call kernels.max_pool2d(%b, kernel_size = 1)
// CHECK-NEXT: %d = torch.layer Conv2d(%c) {padding = 1, kernel = "plain"} weights
// CHECK-NEXT: %e = torch.layer Conv2d(%d) {padding = 1, kernel = "plain"} weights
// CHECK-NEXT: %f = torch.layer Conv2d(%e) {padding = 1, kernel = "mkldnn"} weights
// CHECK-NOT:  torch.kernels
