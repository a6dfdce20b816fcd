// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Layers and weights.

// CHECK: func.func @layers(%x: tensor<1x3x8x8xf32>, %i: tensor<4xi64>) {
func.func @layers(%x: tensor<1x3x8x8xf32>, %i: tensor<4xi64>) {
  // CHECK-NEXT: %conv = torch.layer Conv2d(%x) {stride = 2, padding = [1, 1], padding_mode = "zeros"} weights {weight = "conv1.weight" : tensor<4x3x3x3xf32>, bias = "conv1.bias" : tensor<4xf32>} attributes {torch.node = "/conv1/Conv", torch.op = "Conv", torch.names = ["conv1"], torch.layer_name = "conv1"} : (tensor<1x3x8x8xf32>) -> tensor<1x4x4x4xf32>
  %conv = torch.layer Conv2d(%x) {stride = 2, padding = [1, 1], padding_mode = "zeros"} weights {weight = "conv1.weight" : tensor<4x3x3x3xf32>, bias = "conv1.bias" : tensor<4xf32>} attributes {torch.node = "/conv1/Conv", torch.op = "Conv", torch.names = ["conv1"], torch.layer_name = "conv1"} : (tensor<1x3x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %linear = torch.layer Linear(%x) weights {weight = "a b\22\C3\BC" : tensor<8x8xf32>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %linear = torch.layer Linear(%x) weights {weight = "a b\22\C3\BC" : tensor<8x8xf32>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  // CHECK-NEXT: %norm = torch.layer BatchNorm(%x) {eps = 1.0e-05} weights {bias = "b" : tensor<3xf32>, mean = "m" : tensor<3xf32>, variance = "v" : tensor<3xf32>, weight = "w" : tensor<3xf32>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %norm = torch.layer BatchNorm(%x) {eps = 1.0e-05} weights {bias = "b" : tensor<3xf32>, mean = "m" : tensor<3xf32>, variance = "v" : tensor<3xf32>, weight = "w" : tensor<3xf32>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  // CHECK-NEXT: %embedding = torch.layer Embedding(%i) weights {weight = "e" : tensor<10x4xf32>} : (tensor<4xi64>) -> tensor<4x4xf32>
  %embedding = torch.layer Embedding(%i) weights {weight = "e" : tensor<10x4xf32>} : (tensor<4xi64>) -> tensor<4x4xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @weights() -> tensor<64xf32> {
func.func @weights() -> tensor<64xf32> {
  // CHECK-NEXT: %w = torch.weight "scale" : tensor<64xf32>
  %w = torch.weight "scale" : tensor<64xf32>
  // CHECK-NEXT: %u = torch.weight "/a \22b\22 \C3\BC" {torch.layer_name = "scale_2"} : tensor<?xbf16>
  %u = torch.weight "/a \22b\22 \C3\BC" {torch.layer_name = "scale_2"} : tensor<?xbf16>
  // CHECK-NEXT: func.return %w : tensor<64xf32>
  func.return %w : tensor<64xf32>
}
