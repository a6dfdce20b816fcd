// RUN: ramiel-opt %s -p torch-split-concat | filecheck %s

// A convolution of a concatenation becomes a sum of convolutions, the last of which has the bias
// and the activation. A max pool between them is done part by part.
builtin.module {
  func.func @main(%a: tensor<1x64x8x8xf32>, %b: tensor<1x64x8x8xf32>) -> (tensor<1x8x8x8xf32>, tensor<1x8x4x4xf32>) {
    %c = torch.call torch.cat([%a, %b], dim = 1) {torch.node = "c"} : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %y = torch.layer Conv2d(%c) {padding = 1, activation = "relu"} weights {weight = "w" : tensor<8x128x3x3xf32>, bias = "v" : tensor<8xf32>} attributes {torch.node = "y"} : (tensor<1x128x8x8xf32>) -> tensor<1x8x8x8xf32>
    %d = torch.call torch.cat([%a, %b], dim = -3) : (tensor<1x64x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x128x8x8xf32>
    %p = torch.call F.max_pool2d(%d, kernel_size = 2, stride = 2) : (tensor<1x128x8x8xf32>) -> tensor<1x128x4x4xf32>
    %z = torch.layer Conv2d(%p) weights {weight = "u" : tensor<8x128x1x1xf32>} : (tensor<1x128x4x4xf32>) -> tensor<1x8x4x4xf32>
    func.return %y, %z : tensor<1x8x8x8xf32>, tensor<1x8x4x4xf32>
  }
}

// CHECK:      func.func @main
// CHECK-NEXT:   %0 = torch.layer Conv2d(%a) {padding = 1} weights {weight = "w.0" : tensor<8x64x3x3xf32>} attributes {torch.node = "y"} : (tensor<1x64x8x8xf32>) -> tensor<1x8x8x8xf32>
// CHECK-NEXT:   %y = torch.layer Conv2d(%b, %0) {padding = 1, activation = "relu"} weights {weight = "w.64" : tensor<8x64x3x3xf32>, bias = "v" : tensor<8xf32>} attributes {torch.node = "y"} : (tensor<1x64x8x8xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
// CHECK-NEXT:   %1 = torch.call F.max_pool2d(%a, kernel_size = 2, stride = 2) : (tensor<1x64x8x8xf32>) -> tensor<1x64x4x4xf32>
// CHECK-NEXT:   %2 = torch.call F.max_pool2d(%b, kernel_size = 2, stride = 2) : (tensor<1x64x8x8xf32>) -> tensor<1x64x4x4xf32>
// CHECK-NEXT:   %3 = torch.layer Conv2d(%1) weights {weight = "u.0" : tensor<8x64x1x1xf32>} : (tensor<1x64x4x4xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT:   %z = torch.layer Conv2d(%2, %3) weights {weight = "u.64" : tensor<8x64x1x1xf32>} : (tensor<1x64x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT:   func.return %y, %z
