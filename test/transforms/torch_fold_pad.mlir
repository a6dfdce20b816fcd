// RUN: ramiel-opt -p torch-fold-pad %s | filecheck %s

// Into a convolution.
// CHECK-LABEL: func.func @convolution(
// CHECK-NEXT:  %y = torch.layer Conv2d(%x) {stride = 2, padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  func.return %y
func.func @convolution(%x: tensor<1x4x6x6xf32>) -> tensor<1x4x3x3xf32> {
  %p = torch.call F.pad(%x, [1, 1, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.layer Conv2d(%p) {stride = 2} weights {weight = "w" : tensor<4x4x3x3xf32>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x3x3xf32>
  func.return %y : tensor<1x4x3x3xf32>
}

// One dimension alone, with padding there already, and for two users.
// CHECK-LABEL: func.func @shared(
// CHECK-NEXT:  %a = torch.layer Conv2d(%x) {padding = [2, 1]} weights {weight = "a" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  %b = torch.call F.avg_pool2d(%x, kernel_size = 3, stride = 1, padding = [1, 0])
// CHECK-NEXT:  func.return %a, %b
func.func @shared(%x: tensor<1x4x6x6xf32>) -> (tensor<1x4x8x6xf32>, tensor<1x4x6x4xf32>) {
  %p = torch.call F.pad(%x, [0, 0, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x6xf32>
  %a = torch.layer Conv2d(%p) {padding = 1} weights {weight = "a" : tensor<4x4x3x3xf32>} : (tensor<1x4x8x6xf32>) -> tensor<1x4x8x6xf32>
  %b = torch.call F.avg_pool2d(%p, kernel_size = 3, stride = 1) : (tensor<1x4x8x6xf32>) -> tensor<1x4x6x4xf32>
  func.return %a, %b : tensor<1x4x8x6xf32>, tensor<1x4x6x4xf32>
}

// Minus infinity is what maxima are padded with.
// CHECK-LABEL: func.func @max_pool(
// CHECK-NEXT:  %y = torch.call F.max_pool2d(%x, kernel_size = 3, stride = 2, padding = 1)
// CHECK-NEXT:  func.return %y
func.func @max_pool(%x: tensor<1x4x6x6xf32>) -> tensor<1x4x3x3xf32> {
  %p = torch.call F.pad(%x, [1, 1, 1, 1], value = -inf) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.call F.max_pool2d(%p, kernel_size = 3, stride = 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x3x3xf32>
  func.return %y : tensor<1x4x3x3xf32>
}

// What stays: a padded value that is returned, ...
// CHECK-LABEL: func.func @used(
// CHECK-NEXT:  %p = torch.call F.pad(%x, [1, 1, 1, 1])
// CHECK-NEXT:  %y = torch.layer Conv2d(%p) {stride = 2} weights {weight = "w" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  func.return %p, %y
func.func @used(%x: tensor<1x4x6x6xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x3x3xf32>) {
  %p = torch.call F.pad(%x, [1, 1, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.layer Conv2d(%p) {stride = 2} weights {weight = "w" : tensor<4x4x3x3xf32>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x3x3xf32>
  func.return %p, %y : tensor<1x4x8x8xf32>, tensor<1x4x3x3xf32>
}

// ... zeros before a maximum and ones before a convolution, ...
// CHECK-LABEL: func.func @other_values(
// CHECK-NEXT:  %p = torch.call F.pad(%x, [1, 1, 1, 1])
// CHECK-NEXT:  %y = torch.call F.max_pool2d(%p, kernel_size = 3, stride = 2)
// CHECK-NEXT:  %q = torch.call F.pad(%x, [1, 1, 1, 1], value = 1.0)
// CHECK-NEXT:  %z = torch.layer Conv2d(%q) {stride = 2} weights {weight = "w" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  func.return %y, %z
func.func @other_values(%x: tensor<1x4x6x6xf32>) -> (tensor<1x4x3x3xf32>, tensor<1x4x3x3xf32>) {
  %p = torch.call F.pad(%x, [1, 1, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.call F.max_pool2d(%p, kernel_size = 3, stride = 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x3x3xf32>
  %q = torch.call F.pad(%x, [1, 1, 1, 1], value = 1.0) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %z = torch.layer Conv2d(%q) {stride = 2} weights {weight = "w" : tensor<4x4x3x3xf32>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x3x3xf32>
  func.return %y, %z : tensor<1x4x3x3xf32>, tensor<1x4x3x3xf32>
}

// ... one side alone, and channels, ...
// CHECK-LABEL: func.func @sides(
// CHECK-NEXT:  %p = torch.call F.pad(%x, [0, 1, 0, 1])
// CHECK-NEXT:  %y = torch.layer Conv2d(%p) weights {weight = "w" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  %c = torch.call F.pad(%x, [0, 0, 0, 0, 1, 1])
// CHECK-NEXT:  %z = torch.layer Conv2d(%c) weights {weight = "v" : tensor<4x6x3x3xf32>}
// CHECK-NEXT:  func.return %y, %z
func.func @sides(%x: tensor<1x4x6x6xf32>) -> (tensor<1x4x5x5xf32>, tensor<1x4x4x4xf32>) {
  %p = torch.call F.pad(%x, [0, 1, 0, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x7x7xf32>
  %y = torch.layer Conv2d(%p) weights {weight = "w" : tensor<4x4x3x3xf32>} : (tensor<1x4x7x7xf32>) -> tensor<1x4x5x5xf32>
  %c = torch.call F.pad(%x, [0, 0, 0, 0, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x6x6x6xf32>
  %z = torch.layer Conv2d(%c) weights {weight = "v" : tensor<4x6x3x3xf32>} : (tensor<1x6x6x6xf32>) -> tensor<1x4x4x4xf32>
  func.return %y, %z : tensor<1x4x5x5xf32>, tensor<1x4x4x4xf32>
}

// ... and averages that count zeros of one kind only, round up, or would be of zeros alone.
// CHECK-LABEL: func.func @pools(
// CHECK-NEXT:  %p = torch.call F.pad(%x, [1, 1, 1, 1])
// CHECK-NEXT:  %a = torch.call F.avg_pool2d(%p, kernel_size = 3, stride = 2, padding = 1, count_include_pad = false)
// CHECK-NEXT:  %q = torch.call F.pad(%x, [1, 1, 1, 1])
// CHECK-NEXT:  %b = torch.call F.avg_pool2d(%q, kernel_size = 3, stride = 2, ceil_mode = true)
// CHECK-NEXT:  %r = torch.call F.pad(%x, [2, 2, 2, 2])
// CHECK-NEXT:  %c = torch.call F.avg_pool2d(%r, kernel_size = 3, stride = 1)
// CHECK-NEXT:  func.return %a, %b, %c
func.func @pools(%x: tensor<1x4x6x6xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>, tensor<1x4x8x8xf32>) {
  %p = torch.call F.pad(%x, [1, 1, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %a = torch.call F.avg_pool2d(%p, kernel_size = 3, stride = 2, padding = 1, count_include_pad = false) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %q = torch.call F.pad(%x, [1, 1, 1, 1]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %b = torch.call F.avg_pool2d(%q, kernel_size = 3, stride = 2, ceil_mode = true) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %r = torch.call F.pad(%x, [2, 2, 2, 2]) : (tensor<1x4x6x6xf32>) -> tensor<1x4x10x10xf32>
  %c = torch.call F.avg_pool2d(%r, kernel_size = 3, stride = 1) : (tensor<1x4x10x10xf32>) -> tensor<1x4x8x8xf32>
  func.return %a, %b, %c : tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>, tensor<1x4x8x8xf32>
}
