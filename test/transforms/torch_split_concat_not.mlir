// RUN: ramiel-opt %s -p torch-split-concat | filecheck %s

// What stays: a concatenation with another reader, one that is not much larger than the sums, one
// along another dimension, one of a value with itself, and a convolution in groups.
builtin.module {
  func.func @main(%a: tensor<1x64x8x8xf32>, %b: tensor<1x64x8x8xf32>) -> (tensor<1x128x8x8xf32>, tensor<1x8x8x8xf32>, tensor<1x64x8x8xf32>, tensor<1x4x16x8xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>) {
    %0 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %1 = torch.layer Conv2d(%0) weights {weight = "w1" : tensor<8x128x1x1xf32>} : (tensor<1x128x8x8xf32>) -> tensor<1x8x8x8xf32>
    %2 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %3 = torch.layer Conv2d(%2) weights {weight = "w2" : tensor<64x128x1x1xf32>} : (tensor<1x128x8x8xf32>) -> tensor<1x64x8x8xf32>
    %4 = torch.call torch.cat([%a, %b], dim = 2) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x64x16x8xf32>
    %5 = torch.layer Conv2d(%4) weights {weight = "w3" : tensor<4x64x1x1xf32>} : (tensor<1x64x16x8xf32>) -> tensor<1x4x16x8xf32>
    %6 = torch.call torch.cat([%a, %a], dim = 1) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %7 = torch.layer Conv2d(%6) weights {weight = "w4" : tensor<8x128x1x1xf32>} : (tensor<1x128x8x8xf32>) -> tensor<1x8x8x8xf32>
    %8 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %9 = torch.layer Conv2d(%8) {groups = 2} weights {weight = "w5" : tensor<8x64x1x1xf32>} : (tensor<1x128x8x8xf32>) -> tensor<1x8x8x8xf32>
    func.return %0, %1, %3, %5, %7, %9 : tensor<1x128x8x8xf32>, tensor<1x8x8x8xf32>, tensor<1x64x8x8xf32>, tensor<1x4x16x8xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>
  }
}

// CHECK-COUNT-5: torch.call torch.cat
// CHECK-NOT: torch.cat
