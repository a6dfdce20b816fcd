// RUN: ramiel-opt %s -p 'cluster-free-values{enough=65536}' | filecheck %s
// RUN: ramiel-opt %s -p cluster-free-values | filecheck %s --check-prefix NONE
// RUN: ramiel-opt %s -p 'cluster-free-values{enough=1}' | filecheck %s --check-prefix EACH

// Values of 32 KiB that are no longer needed wait until they add up to enough; what waits at the
// end dies with the function. Less than 16 KiB is not worth a word, unless less is enough.
// CHECK-LABEL: func.func @main(
// CHECK-NEXT:  %a = torch.call torch.exp(%x)
// CHECK-NEXT:  %b = torch.call torch.exp(%a)
// CHECK-NEXT:  %few = torch.call torch.sum(%b
// CHECK-NEXT:  torch.free %a, %b : tensor<1x8192xf32>, tensor<1x8192xf32>
// CHECK-NEXT:  %half = torch.call torch.exp(%y)
// CHECK-NEXT:  %c = torch.call torch.exp(%x)
// CHECK-NEXT:  %d = torch.call operator.add(%c, %few)
// CHECK-NEXT:  %e = torch.call operator.add(%d, %half)
// CHECK-NEXT:  torch.free %c, %d : tensor<1x8192xf32>, tensor<1x8192xf32>
// CHECK-NEXT:  %f = torch.call torch.exp(%e)
// CHECK-NEXT:  %g = torch.call torch.exp(%f)
// CHECK-NEXT:  torch.free %e, %f : tensor<1x8192xf32>, tensor<1x8192xf32>
// CHECK-NEXT:  %r = torch.call torch.exp(%g)
// CHECK-NEXT:  func.return %r

// All of them together are less than the 512 KiB that are enough by default.
// NONE-LABEL: func.func @main(
// NONE-NOT:   torch.free

// EACH:      %b = torch.call torch.exp(%a)
// EACH-NEXT: torch.free %a : tensor<1x8192xf32>
// EACH-NEXT: %few = torch.call torch.sum(%b
// EACH-NEXT: torch.free %b : tensor<1x8192xf32>
// EACH-NEXT: %half = torch.call torch.exp(%y)
// EACH-NEXT: %c = torch.call torch.exp(%x)
// EACH-NEXT: %d = torch.call operator.add(%c, %few)
// EACH-NEXT: torch.free %c, %few : tensor<1x8192xf32>, tensor<1x1xf32>
// EACH-NEXT: %e = torch.call operator.add(%d, %half)
// EACH-NEXT: torch.free %d, %half : tensor<1x8192xf32>, tensor<1x1xf32>
func.func @main(%x: tensor<1x8192xf32>, %y: tensor<1x1xf32>) -> tensor<1x8192xf32> {
  %a = torch.call torch.exp(%x) {torch.names = ["a"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  %b = torch.call torch.exp(%a) {torch.names = ["b"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  %few = torch.call torch.sum(%b, dim = 1, keepdim = true) {torch.names = ["few"]} : (tensor<1x8192xf32>) -> tensor<1x1xf32>
  %half = torch.call torch.exp(%y) {torch.names = ["half"]} : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %c = torch.call torch.exp(%x) {torch.names = ["c"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  %d = torch.call operator.add(%c, %few) {torch.names = ["d"]} : (tensor<1x8192xf32>, tensor<1x1xf32>) -> tensor<1x8192xf32>
  %e = torch.call operator.add(%d, %half) {torch.names = ["e"]} : (tensor<1x8192xf32>, tensor<1x1xf32>) -> tensor<1x8192xf32>
  %f = torch.call torch.exp(%e) {torch.names = ["f"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  %g = torch.call torch.exp(%f) {torch.names = ["g"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  %r = torch.call torch.exp(%g) {torch.names = ["r"]} : (tensor<1x8192xf32>) -> tensor<1x8192xf32>
  func.return %r : tensor<1x8192xf32>
}
