// RUN: ramiel-opt -p torch-fuse-bias %s | filecheck %s

// A Linear of three dimensions, the bias on either side, with ones before it or not. The layer keeps
// its origin and takes the name of the sum.
// CHECK-LABEL: func.func @linear(
// CHECK-NEXT:  %left = torch.layer Linear(%x) weights {weight = "u" : tensor<8x4xf32>, bias = "b" : tensor<8xf32>} attributes {torch.node = "/fc/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %right = torch.layer Linear(%x) weights {weight = "v" : tensor<8x4xf32>, bias = "wide.flat" : tensor<8xf32>}
// CHECK-NEXT:  func.return %left, %right
func.func @linear(%x: tensor<1x3x4xf32>) -> (tensor<1x3x8xf32>, tensor<1x3x8xf32>) {
  %w = torch.weight "b" : tensor<8xf32>
  %1 = torch.layer Linear(%x) weights {weight = "u" : tensor<8x4xf32>} attributes {torch.node = "/fc/MatMul", torch.op = "MatMul"} : (tensor<1x3x4xf32>) -> tensor<1x3x8xf32>
  %left = torch.call operator.add(%w, %1) {torch.node = "/fc/Add", torch.op = "Add"} : (tensor<8xf32>, tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %wide = torch.weight "wide" : tensor<1x1x8xf32>
  %2 = torch.layer Linear(%x) weights {weight = "v" : tensor<8x4xf32>} : (tensor<1x3x4xf32>) -> tensor<1x3x8xf32>
  %right = torch.call operator.add(%2, %wide) : (tensor<1x3x8xf32>, tensor<1x1x8xf32>) -> tensor<1x3x8xf32>
  func.return %left, %right : tensor<1x3x8xf32>, tensor<1x3x8xf32>
}

// Two convolutions share one flattened weight. Transposed ones may have a bias too.
// CHECK-LABEL: func.func @convolutions(
// CHECK-NEXT:  %p = torch.layer Conv2d(%x) weights {weight = "u" : tensor<8x4x1x1xf32>, bias = "c.flat" : tensor<8xf32>}
// CHECK-NEXT:  %q = torch.layer Conv2d(%x) {padding = 1} weights {weight = "v" : tensor<8x4x3x3xf32>, bias = "c.flat" : tensor<8xf32>}
// CHECK-NEXT:  %r = torch.layer ConvTranspose2d(%x) weights {weight = "t" : tensor<4x6x1x1xf32>, bias = "d.flat" : tensor<6xf32>}
// CHECK-NEXT:  func.return %p, %q, %r
func.func @convolutions(%x: tensor<1x4x5x5xf32>) -> (tensor<1x8x5x5xf32>, tensor<1x8x5x5xf32>, tensor<1x6x5x5xf32>) {
  %b = torch.weight "c" : tensor<8x1x1xf32>
  %1 = torch.layer Conv2d(%x) weights {weight = "u" : tensor<8x4x1x1xf32>} : (tensor<1x4x5x5xf32>) -> tensor<1x8x5x5xf32>
  %p = torch.call operator.add(%1, %b) : (tensor<1x8x5x5xf32>, tensor<8x1x1xf32>) -> tensor<1x8x5x5xf32>
  %2 = torch.layer Conv2d(%x) {padding = 1} weights {weight = "v" : tensor<8x4x3x3xf32>} : (tensor<1x4x5x5xf32>) -> tensor<1x8x5x5xf32>
  %q = torch.call operator.add(%b, %2) : (tensor<8x1x1xf32>, tensor<1x8x5x5xf32>) -> tensor<1x8x5x5xf32>
  %d = torch.weight "d" : tensor<1x6x1x1xf32>
  %3 = torch.layer ConvTranspose2d(%x) weights {weight = "t" : tensor<4x6x1x1xf32>} : (tensor<1x4x5x5xf32>) -> tensor<1x6x5x5xf32>
  %r = torch.call operator.add(%3, %d) : (tensor<1x6x5x5xf32>, tensor<1x6x1x1xf32>) -> tensor<1x6x5x5xf32>
  func.return %p, %q, %r : tensor<1x8x5x5xf32>, tensor<1x8x5x5xf32>, tensor<1x6x5x5xf32>
}

// What stays: a product that is returned, a layer that has a bias, a bias that is computed, one for
// each row, one that makes the result larger, and one along the columns of an image.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %b = torch.weight "b"
// CHECK-NEXT:  %rows = torch.weight "rows"
// CHECK-NEXT:  %two = torch.weight "two"
// CHECK-NEXT:  %used = torch.layer Linear(%x) weights {weight = "1" : tensor<8x8xf32>}
// CHECK-NEXT:  %0 = torch.call operator.add(%used, %b)
// CHECK-NEXT:  %has = torch.layer Linear(%x) weights {weight = "2" : tensor<8x8xf32>, bias = "o" : tensor<8xf32>}
// CHECK-NEXT:  %1 = torch.call operator.add(%has, %b)
// CHECK-NEXT:  %computed = torch.layer Linear(%x) weights {weight = "3" : tensor<8x8xf32>}
// CHECK-NEXT:  %2 = torch.call operator.add(%computed, %v)
// CHECK-NEXT:  %per_row = torch.layer Linear(%x) weights {weight = "4" : tensor<8x8xf32>}
// CHECK-NEXT:  %3 = torch.call operator.add(%per_row, %rows)
// CHECK-NEXT:  %grown = torch.layer Linear(%x) weights {weight = "5" : tensor<8x8xf32>}
// CHECK-NEXT:  %4 = torch.call operator.add(%grown, %two)
// CHECK-NEXT:  %columns = torch.layer Conv2d(%i) weights {weight = "6" : tensor<8x8x1x1xf32>}
// CHECK-NEXT:  %5 = torch.call operator.add(%columns, %b)
// CHECK-NEXT:  func.return %used, %0, %1, %2, %3, %4, %5
func.func @kept(%x: tensor<1x3x8xf32>, %v: tensor<8xf32>, %i: tensor<1x8x5x8xf32>) -> (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<2x3x8xf32>, tensor<1x8x5x8xf32>) {
  %b = torch.weight "b" : tensor<8xf32>
  %rows = torch.weight "rows" : tensor<3x1xf32>
  %two = torch.weight "two" : tensor<2x1x8xf32>
  %used = torch.layer Linear(%x) weights {weight = "1" : tensor<8x8xf32>} : (tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %1 = torch.call operator.add(%used, %b) : (tensor<1x3x8xf32>, tensor<8xf32>) -> tensor<1x3x8xf32>
  %has = torch.layer Linear(%x) weights {weight = "2" : tensor<8x8xf32>, bias = "o" : tensor<8xf32>} : (tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %2 = torch.call operator.add(%has, %b) : (tensor<1x3x8xf32>, tensor<8xf32>) -> tensor<1x3x8xf32>
  %computed = torch.layer Linear(%x) weights {weight = "3" : tensor<8x8xf32>} : (tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %3 = torch.call operator.add(%computed, %v) : (tensor<1x3x8xf32>, tensor<8xf32>) -> tensor<1x3x8xf32>
  %per_row = torch.layer Linear(%x) weights {weight = "4" : tensor<8x8xf32>} : (tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %4 = torch.call operator.add(%per_row, %rows) : (tensor<1x3x8xf32>, tensor<3x1xf32>) -> tensor<1x3x8xf32>
  %grown = torch.layer Linear(%x) weights {weight = "5" : tensor<8x8xf32>} : (tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %5 = torch.call operator.add(%grown, %two) : (tensor<1x3x8xf32>, tensor<2x1x8xf32>) -> tensor<2x3x8xf32>
  %columns = torch.layer Conv2d(%i) weights {weight = "6" : tensor<8x8x1x1xf32>} : (tensor<1x8x5x8xf32>) -> tensor<1x8x5x8xf32>
  %6 = torch.call operator.add(%columns, %b) : (tensor<1x8x5x8xf32>, tensor<8xf32>) -> tensor<1x8x5x8xf32>
  func.return %used, %1, %2, %3, %4, %5, %6 : tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<2x3x8xf32>, tensor<1x8x5x8xf32>
}
