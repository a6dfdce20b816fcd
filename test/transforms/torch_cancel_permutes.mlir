// RUN: ramiel-opt -p torch-cancel-permutes %s | filecheck %s

// There and back.
// CHECK-LABEL: func.func @inverse(
// CHECK-NEXT:  %y = torch.call F.relu(%x)
// CHECK-NEXT:  func.return %y
func.func @inverse(%x: tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32> {
  %1 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %2 = torch.call Tensor.permute(%1, 0, 3, 1, 2) : (tensor<1x6x8x4xf32>) -> tensor<1x4x6x8xf32>
  %y = torch.call F.relu(%2) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  func.return %y : tensor<1x4x6x8xf32>
}

// Two in a row become one, and the first stays for its other use.
// CHECK-LABEL: func.func @composed(
// CHECK-NEXT:  %0 = torch.call Tensor.permute(%x, 0, 2, 3, 1)
// CHECK-NEXT:  %y = torch.call Tensor.permute(%x, 0, 3, 2, 1)
// CHECK-NEXT:  func.return %0, %y
func.func @composed(%x: tensor<1x4x6x8xf32>) -> (tensor<1x6x8x4xf32>, tensor<1x8x6x4xf32>) {
  %1 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %y = torch.call Tensor.permute(%1, 0, 2, 1, 3) : (tensor<1x6x8x4xf32>) -> tensor<1x8x6x4xf32>
  func.return %1, %y : tensor<1x6x8x4xf32>, tensor<1x8x6x4xf32>
}

// Elementwise operations between two that undo each other.
// CHECK-LABEL: func.func @through(
// CHECK-NEXT:  %0 = torch.call F.relu(%x) {torch.node = "/relu"}
// CHECK-NEXT:  %y = torch.call operator.mul(%0, 2.0) {torch.node = "/mul"}
// CHECK-NEXT:  func.return %y
func.func @through(%x: tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32> {
  %1 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %2 = torch.call F.relu(%1) {torch.node = "/relu"} : (tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  %3 = torch.call operator.mul(%2, 2.0) {torch.node = "/mul"} : (tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  %y = torch.call Tensor.permute(%3, 0, 3, 1, 2) : (tensor<1x6x8x4xf32>) -> tensor<1x4x6x8xf32>
  func.return %y : tensor<1x4x6x8xf32>
}

// What changes nothing.
// CHECK-LABEL: func.func @identities(
// CHECK-NEXT:  %y = torch.call F.relu(%x)
// CHECK-NEXT:  func.return %y
func.func @identities(%x: tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32> {
  %1 = torch.call Tensor.permute(%x, 0, 1, 2, 3) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %2 = torch.call Tensor.reshape(%1, 1, 4, 6, 8) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %3 = torch.call Tensor.expand(%2, 1, 4, 6, 8) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %4 = torch.call Tensor.to(%3, float32) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %y = torch.call F.relu(%4) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  func.return %y : tensor<1x4x6x8xf32>
}

// Two reshapes in a row.
// CHECK-LABEL: func.func @reshapes(
// CHECK-NEXT:  %0 = torch.call Tensor.reshape(%x, 4, -1)
// CHECK-NEXT:  %y = torch.call F.relu(%x)
// CHECK-NEXT:  func.return %0, %y
func.func @reshapes(%x: tensor<1x4x6x8xf32>) -> (tensor<4x48xf32>, tensor<1x4x6x8xf32>) {
  %1 = torch.call Tensor.reshape(%x, -1) : (tensor<1x4x6x8xf32>) -> tensor<192xf32>
  %2 = torch.call Tensor.reshape(%1, 4, -1) : (tensor<192xf32>) -> tensor<4x48xf32>
  %3 = torch.call torch.flatten(%x, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x192xf32>
  %4 = torch.call Tensor.reshape(%3, 1, 4, 6, 8) : (tensor<1x192xf32>) -> tensor<1x4x6x8xf32>
  %y = torch.call F.relu(%4) : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  func.return %2, %y : tensor<4x48xf32>, tensor<1x4x6x8xf32>
}

// What stays: a step that is returned, one that is not elementwise, and one that nothing undoes.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %0 = torch.call Tensor.permute(%x, 0, 2, 3, 1)
// CHECK-NEXT:  %1 = torch.call F.relu(%0)
// CHECK-NEXT:  %2 = torch.call Tensor.permute(%1, 0, 3, 1, 2)
// CHECK-NEXT:  %3 = torch.call Tensor.permute(%x, 0, 2, 3, 1)
// CHECK-NEXT:  %4 = torch.call F.softmax(%3, dim = -1)
// CHECK-NEXT:  %5 = torch.call Tensor.permute(%4, 0, 3, 1, 2)
// CHECK-NEXT:  %6 = torch.call Tensor.permute(%x, 0, 2, 3, 1)
// CHECK-NEXT:  %7 = torch.call F.relu(%6)
// CHECK-NEXT:  %8 = torch.call Tensor.permute(%7, 0, 2, 1, 3)
// CHECK-NEXT:  func.return %1, %2, %5, %8
func.func @kept(%x: tensor<1x4x6x8xf32>) -> (tensor<1x6x8x4xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x8x6x4xf32>) {
  %1 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %2 = torch.call F.relu(%1) : (tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  %3 = torch.call Tensor.permute(%2, 0, 3, 1, 2) : (tensor<1x6x8x4xf32>) -> tensor<1x4x6x8xf32>
  %4 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %5 = torch.call F.softmax(%4, dim = -1) : (tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  %6 = torch.call Tensor.permute(%5, 0, 3, 1, 2) : (tensor<1x6x8x4xf32>) -> tensor<1x4x6x8xf32>
  %7 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : (tensor<1x4x6x8xf32>) -> tensor<1x6x8x4xf32>
  %8 = torch.call F.relu(%7) : (tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  %9 = torch.call Tensor.permute(%8, 0, 2, 1, 3) : (tensor<1x6x8x4xf32>) -> tensor<1x8x6x4xf32>
  func.return %2, %3, %6, %9 : tensor<1x6x8x4xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x8x6x4xf32>
}

// A reshape to a shape that the program alone knows.
// CHECK-LABEL: func.func @open(
// CHECK-NEXT:  %0 = torch.call Tensor.reshape(%x, -1)
// CHECK-NEXT:  %1 = torch.call Tensor.reshape(%0, 4, -1)
// CHECK-NEXT:  func.return %1
func.func @open(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %1 = torch.call Tensor.reshape(%x, -1) : (tensor<?x?xf32>) -> tensor<?xf32>
  %2 = torch.call Tensor.reshape(%1, 4, -1) : (tensor<?xf32>) -> tensor<?x?xf32>
  func.return %2 : tensor<?x?xf32>
}
