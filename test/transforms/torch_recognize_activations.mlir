// RUN: ramiel-opt -p torch-recognize-activations %s | filecheck %s

// x * sigmoid(x), in either order. The call has the origin of the sigmoid.
// CHECK-LABEL: func.func @silu(
// CHECK-NEXT:  %y = torch.call F.silu(%x) {torch.node = "/s"}
// CHECK-NEXT:  func.return %y
func.func @silu(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = torch.call torch.sigmoid(%x) {torch.node = "/s"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%s, %x) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// x * hardsigmoid(x), and the spelling of older exporters.
// CHECK-LABEL: func.func @hardswish(
// CHECK-NEXT:  %y = torch.call F.hardswish(%x) {torch.node = "/s"}
// CHECK-NEXT:  func.return %y
func.func @hardswish(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = torch.call F.hardsigmoid(%x) {torch.node = "/s"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%x, %s) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @hardswish_spelled_out(
// CHECK-NEXT:  %y = torch.call F.hardswish(%x) {torch.node = "/c"}
// CHECK-NEXT:  func.return %y
func.func @hardswish_spelled_out(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = torch.call operator.add(%x, 3.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = torch.call torch.clamp(%a, min = 0, max = 6.0) {torch.node = "/c"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %c) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.truediv(%m, 6.0) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @hardsigmoid(
// CHECK-NEXT:  %y = torch.call F.hardsigmoid(%x) {torch.node = "/c"}
// CHECK-NEXT:  func.return %y
func.func @hardsigmoid(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = torch.call operator.add(3.0, %x) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = torch.call torch.clamp(%a, min = 0.0, max = 6.0) {torch.node = "/c"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%c, 0.16666667) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// Gelu with its factors in every place.
// CHECK-LABEL: func.func @gelu_of_pytorch(
// CHECK-NEXT:  %y = torch.call F.gelu(%x) {torch.node = "/e"}
// CHECK-NEXT:  func.return %y
func.func @gelu_of_pytorch(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %a) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%m, 0.5) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @gelu_half_first(
// CHECK-NEXT:  %y = torch.call F.gelu(%x) {torch.node = "/e"}
// CHECK-NEXT:  func.return %y
func.func @gelu_half_first(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %h = torch.call operator.mul(%x, 0.5) {torch.node = "/h"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %d = torch.call operator.mul(0.70710677, %x) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(1, %e) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%h, %a) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @gelu_half_inside(
// CHECK-NEXT:  %y = torch.call F.gelu(%x) {torch.node = "/e"}
// CHECK-NEXT:  func.return %y
func.func @gelu_half_inside(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %h = torch.call operator.truediv(%a, 2.0) {torch.node = "/h"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%h, %x) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// Its approximation, with x cubed or squared.
// CHECK-LABEL: func.func @gelu_tanh(
// CHECK-NEXT:  %y = torch.call F.gelu(%x, approximate = "tanh") {torch.node = "/t"}
// CHECK-NEXT:  func.return %y
func.func @gelu_tanh(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %p = torch.call operator.pow(%x, 3) {torch.node = "/p"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = torch.call operator.mul(%p, 0.044715) {torch.node = "/c"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %i = torch.call operator.add(%x, %c) {torch.node = "/i"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %f = torch.call operator.mul(%i, 0.7978846) {torch.node = "/f"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %t = torch.call torch.tanh(%f) {torch.node = "/t"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %o = torch.call operator.add(%t, 1.0) {torch.node = "/o"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %h = torch.call operator.mul(%x, 0.5) {torch.node = "/h"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%h, %o) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @gelu_tanh_squared(
// CHECK-NEXT:  %y = torch.call F.gelu(%x, approximate = "tanh") {torch.node = "/t"}
// CHECK-NEXT:  func.return %y
func.func @gelu_tanh_squared(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %p = torch.call operator.mul(%x, %x) {torch.node = "/p"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = torch.call operator.mul(0.044715, %p) {torch.node = "/c"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %i = torch.call operator.add(1.0, %c) {torch.node = "/i"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %g = torch.call operator.mul(0.7978846, %x) {torch.node = "/g"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %f = torch.call operator.mul(%g, %i) {torch.node = "/f"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %t = torch.call torch.tanh(%f) {torch.node = "/t"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %o = torch.call operator.add(1.0, %t) {torch.node = "/o"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %h = torch.call operator.mul(%x, %o) {torch.node = "/h"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(0.5, %h) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// A product with more factors.
// CHECK-LABEL: func.func @gated(
// CHECK-NEXT:  %m = torch.call F.silu(%x) {torch.node = "/s"}
// CHECK-NEXT:  %y = torch.call operator.mul(%m, %z) {torch.node = "/y"}
// CHECK-NEXT:  func.return %y
func.func @gated(%x: tensor<2x4xf32>, %z: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = torch.call torch.sigmoid(%x) {torch.node = "/s"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %s) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%m, %z) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// What stays: a gate that is returned, or of another value; a step with another use; other numbers.
// CHECK-LABEL: func.func @gate_used(
// CHECK-NEXT:  %s = torch.call torch.sigmoid(%x) {torch.node = "/s"}
// CHECK-NEXT:  %y = torch.call operator.mul(%x, %s) {torch.node = "/y"}
// CHECK-NEXT:  func.return %s, %y
func.func @gate_used(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %s = torch.call torch.sigmoid(%x) {torch.node = "/s"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%x, %s) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %s, %y : tensor<2x4xf32>, tensor<2x4xf32>
}

// CHECK-LABEL: func.func @other_value(
// CHECK-NEXT:  %s = torch.call torch.sigmoid(%z) {torch.node = "/s"}
// CHECK-NEXT:  %y = torch.call operator.mul(%x, %s) {torch.node = "/y"}
// CHECK-NEXT:  func.return %y
func.func @other_value(%x: tensor<2x4xf32>, %z: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = torch.call torch.sigmoid(%z) {torch.node = "/s"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%x, %s) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @step_used(
// CHECK-NEXT:  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"}
// CHECK-NEXT:  %e = torch.call torch.erf(%d) {torch.node = "/e"}
// CHECK-NEXT:  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"}
// CHECK-NEXT:  %m = torch.call operator.mul(%x, %a) {torch.node = "/m"}
// CHECK-NEXT:  %y = torch.call operator.mul(%m, 0.5) {torch.node = "/y"}
// CHECK-NEXT:  func.return %m, %y
func.func @step_used(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %a) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%m, 0.5) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %m, %y : tensor<2x4xf32>, tensor<2x4xf32>
}

// CHECK-LABEL: func.func @other_root(
// CHECK-NEXT:  %d = torch.call operator.truediv(%x, 1.41) {torch.node = "/d"}
// CHECK-NEXT:  %e = torch.call torch.erf(%d) {torch.node = "/e"}
// CHECK-NEXT:  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"}
// CHECK-NEXT:  %m = torch.call operator.mul(%x, %a) {torch.node = "/m"}
// CHECK-NEXT:  %y = torch.call operator.mul(%m, 0.5) {torch.node = "/y"}
// CHECK-NEXT:  func.return %y
func.func @other_root(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = torch.call operator.truediv(%x, 1.41) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %a) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%m, 0.5) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @not_halved(
// CHECK-NEXT:  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"}
// CHECK-NEXT:  %e = torch.call torch.erf(%d) {torch.node = "/e"}
// CHECK-NEXT:  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"}
// CHECK-NEXT:  %y = torch.call operator.mul(%x, %a) {torch.node = "/y"}
// CHECK-NEXT:  func.return %y
func.func @not_halved(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = torch.call operator.truediv(%x, 1.4142135) {torch.node = "/d"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %e = torch.call torch.erf(%d) {torch.node = "/e"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %a = torch.call operator.add(%e, 1.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.mul(%x, %a) {torch.node = "/y"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @relu5(
// CHECK-NEXT:  %a = torch.call operator.add(%x, 3.0) {torch.node = "/a"}
// CHECK-NEXT:  %c = torch.call torch.clamp(%a, min = 0.0, max = 5.0) {torch.node = "/c"}
// CHECK-NEXT:  %m = torch.call operator.mul(%x, %c) {torch.node = "/m"}
// CHECK-NEXT:  %y = torch.call operator.truediv(%m, 6.0) {torch.node = "/y"}
// CHECK-NEXT:  func.return %y
func.func @relu5(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = torch.call operator.add(%x, 3.0) {torch.node = "/a"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = torch.call torch.clamp(%a, min = 0.0, max = 5.0) {torch.node = "/c"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.call operator.mul(%x, %c) {torch.node = "/m"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.truediv(%m, 6.0) {torch.node = "/y"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

// A sigmoid of a row makes all rows of the product: the shapes differ.
// CHECK-LABEL: func.func @broadcast(
// CHECK-NEXT:  %s = torch.call torch.sigmoid(%x)
// CHECK-NEXT:  %y = torch.call operator.mul(%z, %s)
// CHECK-NEXT:  func.return %y
func.func @broadcast(%x: tensor<1x4xf32>, %z: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = torch.call torch.sigmoid(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %y = torch.call operator.mul(%z, %s) : (tensor<2x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}
