// RUN: ramiel-opt -p torch-fuse-residual %s | filecheck %s

// The layer stands where the sum stood, after what it adds.
// CHECK-LABEL: func.func @residual(
// CHECK-NEXT:  %late = torch.call F.relu(%s)
// CHECK-NEXT:  %sum = torch.layer Conv2d(%x, %late) {padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>, bias = "b" : tensor<4xf32>} attributes {torch.node = "/conv/Conv", torch.op = "Conv"}
// CHECK-NEXT:  func.return %sum
func.func @residual(%x: tensor<1x4x5x5xf32>, %s: tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32> {
  %1 = torch.layer Conv2d(%x) {padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>, bias = "b" : tensor<4xf32>} attributes {torch.node = "/conv/Conv", torch.op = "Conv"} : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %late = torch.call F.relu(%s) : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %sum = torch.call operator.add(%1, %late) {torch.node = "/Add", torch.op = "Add"} : (tensor<1x4x5x5xf32>, tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  func.return %sum : tensor<1x4x5x5xf32>
}

// Of two layers the later one adds, and a layer that adds something adds nothing more.
// CHECK-LABEL: func.func @later_of_two(
// CHECK-NEXT:  %0 = torch.layer Linear(%x) weights {weight = "first" : tensor<4x4xbf16>}
// CHECK-NEXT:  %1 = torch.layer Linear(%x, %0) weights {weight = "second" : tensor<4x4xbf16>}
// CHECK-NEXT:  %2 = torch.layer Linear(%y, %1) weights {weight = "third" : tensor<4x4xbf16>}
// CHECK-NEXT:  func.return %2
func.func @later_of_two(%x: tensor<2x4xbf16>, %y: tensor<2x4xbf16>) -> tensor<2x4xbf16> {
  %1 = torch.layer Linear(%x) weights {weight = "first" : tensor<4x4xbf16>} : (tensor<2x4xbf16>) -> tensor<2x4xbf16>
  %2 = torch.layer Linear(%x) weights {weight = "second" : tensor<4x4xbf16>} : (tensor<2x4xbf16>) -> tensor<2x4xbf16>
  %3 = torch.call operator.add(%2, %1) : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16>
  %4 = torch.layer Linear(%y) weights {weight = "third" : tensor<4x4xbf16>} : (tensor<2x4xbf16>) -> tensor<2x4xbf16>
  %5 = torch.call operator.add(%3, %4) : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16>
  func.return %5 : tensor<2x4xbf16>
}

// What stays: a result that is returned, one that is added to itself, something broadcast, a layer
// with an activation, a transposed convolution, a constant, and 64-bit floats.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %0 = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>}
// CHECK-NEXT:  %returned = torch.call operator.add(%0, %y)
// CHECK-NEXT:  %1 = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>}
// CHECK-NEXT:  %twice = torch.call operator.add(%1, %1)
// CHECK-NEXT:  %2 = torch.layer Linear(%x) weights {weight = "3" : tensor<4x4xf32>}
// CHECK-NEXT:  %broadcast = torch.call operator.add(%2, %row)
// CHECK-NEXT:  %3 = torch.layer Linear(%x) {activation = "relu"} weights {weight = "4" : tensor<4x4xf32>}
// CHECK-NEXT:  %active = torch.call operator.add(%3, %y)
// CHECK-NEXT:  %4 = torch.layer ConvTranspose2d(%i) weights {weight = "5" : tensor<4x4x1x1xf32>}
// CHECK-NEXT:  %transposed = torch.call operator.add(%4, %i)
// CHECK-NEXT:  %constant = torch.weight "constant"
// CHECK-NEXT:  %5 = torch.layer Linear(%x) weights {weight = "6" : tensor<4x4xf32>}
// CHECK-NEXT:  %weight = torch.call operator.add(%5, %constant)
// CHECK-NEXT:  %6 = torch.layer Linear(%d) weights {weight = "7" : tensor<4x4xf64>}
// CHECK-NEXT:  %double = torch.call operator.add(%6, %d)
// CHECK-NEXT:  func.return %0, %returned, %twice, %broadcast, %active, %transposed, %weight, %double
func.func @kept(%x: tensor<2x4xf32>, %y: tensor<2x4xf32>, %row: tensor<1x4xf32>, %i: tensor<1x4x5x5xf32>, %d: tensor<2x4xf64>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<1x4x5x5xf32>, tensor<2x4xf32>, tensor<2x4xf64>) {
  %1 = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %returned = torch.call operator.add(%1, %y) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %twice = torch.call operator.add(%2, %2) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = torch.layer Linear(%x) weights {weight = "3" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %broadcast = torch.call operator.add(%3, %row) : (tensor<2x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  %4 = torch.layer Linear(%x) {activation = "relu"} weights {weight = "4" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %active = torch.call operator.add(%4, %y) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = torch.layer ConvTranspose2d(%i) weights {weight = "5" : tensor<4x4x1x1xf32>} : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %transposed = torch.call operator.add(%5, %i) : (tensor<1x4x5x5xf32>, tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %constant = torch.weight "constant" : tensor<2x4xf32>
  %6 = torch.layer Linear(%x) weights {weight = "6" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %weight = torch.call operator.add(%6, %constant) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = torch.layer Linear(%d) weights {weight = "7" : tensor<4x4xf64>} : (tensor<2x4xf64>) -> tensor<2x4xf64>
  %double = torch.call operator.add(%7, %d) : (tensor<2x4xf64>, tensor<2x4xf64>) -> tensor<2x4xf64>
  func.return %1, %returned, %twice, %broadcast, %active, %transposed, %weight, %double : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<1x4x5x5xf32>, tensor<2x4xf32>, tensor<2x4xf64>
}

// An open dimension may be 1 on one side when the program runs.
// CHECK-LABEL: func.func @open(
// CHECK-NEXT:  %0 = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>}
// CHECK-NEXT:  %1 = torch.call operator.add(%0, %y)
// CHECK-NEXT:  func.return %1
func.func @open(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %1 = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = torch.call operator.add(%1, %y) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  func.return %2 : tensor<?x4xf32>
}
