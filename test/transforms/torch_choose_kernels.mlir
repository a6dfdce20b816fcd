// RUN: ramiel-opt %s -p torch-choose-kernels | filecheck %s
// RUN: ramiel-opt %s -p 'torch-choose-kernels{provider=torch}' | filecheck %s --check-prefix TORCH
// RUN: ramiel-opt %s -p 'torch-choose-kernels{provider=torch},torch-choose-kernels' | filecheck %s
// RUN: ramiel-opt %s -p 'torch-choose-kernels,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-serial,cluster-channels' -t pytorch | filecheck %s --check-prefix PY

// RUN: not ramiel-opt %s -p 'torch-choose-kernels{provider=cuda}' 2>&1 | filecheck %s --check-prefix PROVIDER
// PROVIDER: error: there is no provider 'cuda'; there are auto, torch
// RUN: not ramiel-opt %s -p 'torch-choose-kernels{source=guess}' 2>&1 | filecheck %s --check-prefix SOURCE
// SOURCE: error: kernels are chosen by static, probe, profile, not 'guess'
// RUN: not ramiel-opt %s -p 'torch-choose-kernels{threads=0}' 2>&1 | filecheck %s --check-prefix THREADS
// THREADS: error: workers must be

// A layer says nothing of the direct kernel that is at hand, but for PyTorch's; a large convolution
// of 3x3 has Winograd's. A step, groups, a dilation, a kernel of 1x1 or 7x7, few channels, few
// pixels or 64-bit floats are not for it. Pools over two dimensions are oneDNN's.
// CHECK-LABEL: func.func @main(
// CHECK-NEXT:  %square = torch.layer Conv2d(%x) {padding = 1, activation = "relu", kernel = "winograd"} weights {weight = "square"
// CHECK-NEXT:  %wide = torch.layer Conv2d(%x) {padding = [0, 3], kernel = "winograd"} weights {weight = "wide"
// CHECK-NEXT:  %stride = torch.layer Conv2d(%x) {stride = 2, padding = 1} weights
// CHECK-NEXT:  %groups = torch.layer Conv2d(%x) {padding = 1, groups = 2} weights
// CHECK-NEXT:  %dilated = torch.layer Conv2d(%x) {padding = 2, dilation = 2} weights
// CHECK-NEXT:  %point = torch.layer Conv2d(%x) weights
// CHECK-NEXT:  %large = torch.layer Conv2d(%x) {padding = 3} weights
// CHECK-NEXT:  %narrow = torch.layer Conv2d(%x) {padding = 1} weights
// CHECK-NEXT:  %small = torch.layer Conv2d(%s) {padding = 1} weights
// CHECK-NEXT:  %open = torch.layer Conv2d(%o) {padding = 1, kernel = "winograd"} weights
// CHECK-NEXT:  %double = torch.layer Conv2d(%d) {padding = 1} weights
// CHECK-NEXT:  %linear = torch.layer Linear(%v) weights
// CHECK-NEXT:  %norm = torch.layer LayerNorm(%v) weights
// CHECK-NEXT:  %max = torch.call kernels.max_pool2d(%x, 2) :
// CHECK-NEXT:  %average = torch.call kernels.avg_pool2d(%x, 3, stride = 2, padding = 1) :
// CHECK-NEXT:  %global = torch.call kernels.adaptive_avg_pool2d(%x, 1) :
// CHECK-NEXT:  %line = torch.call F.max_pool1d(%v, 2) :
// CHECK-NEXT:  func.return

// TORCH-LABEL: func.func @main(
// TORCH-NEXT:  %square = torch.layer Conv2d(%x) {padding = 1, activation = "relu", kernel = "mkldnn-winograd"} weights
// TORCH-NEXT:  %wide = torch.layer Conv2d(%x) {padding = [0, 3], kernel = "mkldnn-winograd"} weights
// TORCH-NEXT:  %stride = torch.layer Conv2d(%x) {stride = 2, padding = 1, kernel = "mkldnn"} weights
// TORCH-NEXT:  %groups = torch.layer Conv2d(%x) {padding = 1, groups = 2, kernel = "mkldnn"} weights
// TORCH-NEXT:  %dilated = torch.layer Conv2d(%x) {padding = 2, dilation = 2, kernel = "mkldnn"} weights
// TORCH-NEXT:  %point = torch.layer Conv2d(%x) {kernel = "mkldnn"} weights
// TORCH-NEXT:  %large = torch.layer Conv2d(%x) {padding = 3, kernel = "mkldnn"} weights
// TORCH-NEXT:  %narrow = torch.layer Conv2d(%x) {padding = 1, kernel = "mkldnn"} weights
// TORCH-NEXT:  %small = torch.layer Conv2d(%s) {padding = 1, kernel = "mkldnn"} weights
// TORCH-NEXT:  %open = torch.layer Conv2d(%o) {padding = 1, kernel = "mkldnn-winograd"} weights
// TORCH-NEXT:  %double = torch.layer Conv2d(%d) {padding = 1, kernel = "mkldnn"} weights
// TORCH-NEXT:  %linear = torch.layer Linear(%v) {kernel = "mkldnn"} weights
// TORCH-NEXT:  %norm = torch.layer LayerNorm(%v) weights
// TORCH-NEXT:  %max = torch.call F.max_pool2d(%x, 2) :
// TORCH-NEXT:  %average = torch.call F.avg_pool2d(%x, 3, stride = 2, padding = 1) :
// TORCH-NEXT:  %global = torch.call F.adaptive_avg_pool2d(%x, 1) :
// TORCH-NEXT:  %line = torch.call F.max_pool1d(%v, 2) :

// PY:      from ramiel.runtime import (
// PY:        kernels,
// PY-NEXT:   main,
// PY:        self.square = Conv2d(
// PY-NEXT:     weights, "square", padding=1, activation="relu", kernel="winograd"
// PY:        = kernels.max_pool2d(x, 2)
func.func @main(%x: tensor<1x128x28x28xf32>, %s: tensor<1x128x3x4xf32>, %o: tensor<1x128x?x28xf32>, %d: tensor<1x128x28x28xf64>, %v: tensor<1x32x32xf32>) -> (tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x14x14xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x4x28x28xf32>, tensor<1x128x3x4xf32>, tensor<1x128x?x28xf32>, tensor<1x128x28x28xf64>, tensor<1x32x32xf32>, tensor<1x32x32xf32>, tensor<1x128x14x14xf32>, tensor<1x128x14x14xf32>, tensor<1x128x1x1xf32>, tensor<1x32x16xf32>) {
  %square = torch.layer Conv2d(%x) {padding = 1, activation = "relu"} weights {weight = "square" : tensor<128x128x3x3xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %wide = torch.layer Conv2d(%x) {padding = [0, 3]} weights {weight = "wide" : tensor<128x128x1x7xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %stride = torch.layer Conv2d(%x) {stride = 2, padding = 1} weights {weight = "stride" : tensor<128x128x3x3xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x14x14xf32>
  %groups = torch.layer Conv2d(%x) {padding = 1, groups = 2} weights {weight = "groups" : tensor<128x64x3x3xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %dilated = torch.layer Conv2d(%x) {padding = 2, dilation = 2} weights {weight = "dilated" : tensor<128x128x3x3xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %point = torch.layer Conv2d(%x) weights {weight = "point" : tensor<128x128x1x1xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %large = torch.layer Conv2d(%x) {padding = 3} weights {weight = "large" : tensor<128x128x7x7xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x128x28x28xf32>
  %narrow = torch.layer Conv2d(%x) {padding = 1} weights {weight = "narrow" : tensor<4x128x3x3xf32>} : (tensor<1x128x28x28xf32>) -> tensor<1x4x28x28xf32>
  %small = torch.layer Conv2d(%s) {padding = 1} weights {weight = "small" : tensor<128x128x3x3xf32>} : (tensor<1x128x3x4xf32>) -> tensor<1x128x3x4xf32>
  %open = torch.layer Conv2d(%o) {padding = 1} weights {weight = "open" : tensor<128x128x3x3xf32>} : (tensor<1x128x?x28xf32>) -> tensor<1x128x?x28xf32>
  %double = torch.layer Conv2d(%d) {padding = 1} weights {weight = "double" : tensor<128x128x3x3xf64>} : (tensor<1x128x28x28xf64>) -> tensor<1x128x28x28xf64>
  %linear = torch.layer Linear(%v) weights {weight = "linear" : tensor<32x32xf32>} : (tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %norm = torch.layer LayerNorm(%v) weights {weight = "scale" : tensor<32xf32>} : (tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %max = torch.call F.max_pool2d(%x, 2) : (tensor<1x128x28x28xf32>) -> tensor<1x128x14x14xf32>
  %average = torch.call F.avg_pool2d(%x, 3, stride = 2, padding = 1) : (tensor<1x128x28x28xf32>) -> tensor<1x128x14x14xf32>
  %global = torch.call F.adaptive_avg_pool2d(%x, 1) : (tensor<1x128x28x28xf32>) -> tensor<1x128x1x1xf32>
  %line = torch.call F.max_pool1d(%v, 2) : (tensor<1x32x32xf32>) -> tensor<1x32x16xf32>
  func.return %square, %wide, %stride, %groups, %dilated, %point, %large, %narrow, %small, %open, %double, %linear, %norm, %max, %average, %global, %line : tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x14x14xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x128x28x28xf32>, tensor<1x4x28x28xf32>, tensor<1x128x3x4xf32>, tensor<1x128x?x28xf32>, tensor<1x128x28x28xf64>, tensor<1x32x32xf32>, tensor<1x32x32xf32>, tensor<1x128x14x14xf32>, tensor<1x128x14x14xf32>, tensor<1x128x1x1xf32>, tensor<1x32x16xf32>
}
