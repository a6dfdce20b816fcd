// RUN: ramiel-opt --split-input-file -p torch-lower-precision %s 2>/dev/null | filecheck %s
// RUN: ramiel-opt -p 'torch-lower-precision{dtype=f16}' %s --split-input-file 2>/dev/null | filecheck %s --check-prefix HALF
// RUN: not ramiel-opt -p 'torch-lower-precision{dtype=f64}' %s --split-input-file 2>&1 | filecheck %s --check-prefix ERROR

// ERROR: a precision is bf16 or f16, not 'f64'

// Input, weights and values, tied weights as before; the result is what it was, under its name.
// CHECK-LABEL: func.func @layers(%x: tensor<1x4x8x8xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>)
// CHECK-NEXT:  %x_bf16 = torch.call Tensor.to(%x, bfloat16) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xbf16>
// CHECK-NEXT:  %s = torch.weight "s.bf16" : tensor<4x1x1xbf16>
// CHECK-NEXT:  %0 = torch.layer Conv2d(%x_bf16) {padding = 1} weights {weight = "w.bf16" : tensor<4x4x3x3xbf16>, bias = "b.bf16" : tensor<4xbf16>} attributes {torch.node = "/a/Conv"} : (tensor<1x4x8x8xbf16>) -> tensor<1x4x8x8xbf16>
// CHECK-NEXT:  %1 = torch.call operator.mul(%0, %s) : (tensor<1x4x8x8xbf16>, tensor<4x1x1xbf16>) -> tensor<1x4x8x8xbf16>
// CHECK-NEXT:  %y = torch.layer Conv2d(%1, %x_bf16) {padding = 1} weights {weight = "w.bf16" : tensor<4x4x3x3xbf16>} attributes {torch.node = "/b/Conv", torch.suffix = "bf16"} :
// CHECK-NEXT:  %y_1 = torch.call Tensor.to(%y, float32) {torch.node = "/b/Conv"} : (tensor<1x4x8x8xbf16>) -> tensor<1x4x8x8xf32>
// CHECK-NEXT:  func.return %y_1, %y_1 : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
// HALF-LABEL:  func.func @layers(
// HALF:        torch.layer Conv2d(%x_f16) {padding = 1} weights {weight = "w.f16" : tensor<4x4x3x3xf16>, bias = "b.f16" : tensor<4xf16>}
func.func @layers(%x: tensor<1x4x8x8xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) {
  %s = torch.weight "s" : tensor<4x1x1xf32>
  %0 = torch.layer Conv2d(%x) {padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>, bias = "b" : tensor<4xf32>} attributes {torch.node = "/a/Conv"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %1 = torch.call operator.mul(%0, %s) : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  %y = torch.layer Conv2d(%1, %x) {padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>} attributes {torch.node = "/b/Conv"} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %y, %y : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
}

// -----

// Calls without a kernel, and long sums: converted before and after, once for all who ask.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %x_bf16 = torch.call Tensor.to(%x, bfloat16)
// CHECK-NEXT:  %0 = torch.call torch.tanh(%x_bf16) : (tensor<8x8xbf16>) -> tensor<8x8xbf16>
// CHECK-NEXT:  %1 = torch.call Tensor.to(%0, float32) : (tensor<8x8xbf16>) -> tensor<8x8xf32>
// CHECK-NEXT:  %a = torch.call ops.cumsum(%1, 0) : (tensor<8x8xf32>) -> tensor<8x8xf32>
// CHECK-NEXT:  %2 = torch.call Tensor.to(%a, bfloat16) : (tensor<8x8xf32>) -> tensor<8x8xbf16>
// CHECK-NEXT:  %b = torch.call torch.det(%1) : (tensor<8x8xf32>) -> tensor<f32>
// CHECK-NEXT:  %c = torch.call ops.reduce(%1, "L2", [1], keepdims = true) : (tensor<8x8xf32>) -> tensor<8x1xf32>
// CHECK-NEXT:  %d = torch.call ops.reduce(%0, "Sum", [1], keepdims = true) {torch.suffix = "bf16"} : (tensor<8x8xbf16>) -> tensor<8x1xbf16>
// CHECK-NEXT:  %d_1 = torch.call Tensor.to(%d, float32)
// CHECK-NEXT:  %e = torch.call operator.mul(%2, %2) {torch.suffix = "bf16"} : (tensor<8x8xbf16>, tensor<8x8xbf16>) -> tensor<8x8xbf16>
func.func @kept(%x: tensor<8x8xf32>) -> (tensor<f32>, tensor<8x1xf32>, tensor<8x1xf32>, tensor<8x8xf32>) {
  %0 = torch.call torch.tanh(%x) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %a = torch.call ops.cumsum(%0, 0) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = torch.call torch.det(%0) : (tensor<8x8xf32>) -> tensor<f32>
  %c = torch.call ops.reduce(%0, "L2", [1], keepdims = true) : (tensor<8x8xf32>) -> tensor<8x1xf32>
  %d = torch.call ops.reduce(%0, "Sum", [1], keepdims = true) : (tensor<8x8xf32>) -> tensor<8x1xf32>
  %e = torch.call operator.mul(%a, %a) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  func.return %b, %c, %d, %e : tensor<f32>, tensor<8x1xf32>, tensor<8x1xf32>, tensor<8x8xf32>
}

// -----

// Integers, bools and f64 stay. What is computed from integers and constants alone stays f32 up to
// where it meets a low value; what stands for infinity in it is brought into range.
// CHECK-LABEL: func.func @exact(
// CHECK-NEXT:  %x_bf16 = torch.call Tensor.to(%x, bfloat16)
// CHECK-NEXT:  %i = torch.call operator.add(%ids, 1) : (tensor<1x8xi64>) -> tensor<1x8xi64>
// CHECK-NEXT:  %f = torch.call Tensor.to(%i, float32) : (tensor<1x8xi64>) -> tensor<1x8xf32>
// CHECK-NEXT:  %m = torch.call operator.mul(%f, -3.38{{.*}}e+38) : (tensor<1x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:  %0 = torch.call Tensor.to(%m, bfloat16) : (tensor<1x8xf32>) -> tensor<1x8xbf16>
// CHECK-NEXT:  %s = torch.call operator.add(%x_bf16, %0) : (tensor<8x8xbf16>, tensor<1x8xbf16>) -> tensor<8x8xbf16>
// CHECK-NEXT:  %p = torch.call operator.gt(%s, 0.5) : (tensor<8x8xbf16>) -> tensor<8x8xi1>
// CHECK-NEXT:  %q = torch.call operator.gt(%x, 0.5) : (tensor<8x8xf32>) -> tensor<8x8xi1>
// CHECK-NEXT:  %e = torch.call Tensor.to(%d, float32) : (tensor<8xf64>) -> tensor<8xf32>
// CHECK-NEXT:  %n = torch.call ops.non_zero(%s) : (tensor<8x8xbf16>) -> tensor<2x?xi64>
// CHECK-NEXT:  %u = torch.call torch.where(%p, %s, -3.38{{.*}}e+38) {torch.suffix = "bf16"} :
// CHECK-NEXT:  %{{.*}} = torch.call Tensor.to(%u, float32)
// CHECK-NEXT:  func.return %n, %q, %e, %u_1 : tensor<2x?xi64>, tensor<8x8xi1>, tensor<8xf32>, tensor<8x8xf32>
func.func @exact(%x: tensor<8x8xf32>, %ids: tensor<1x8xi64>, %d: tensor<8xf64>) -> (tensor<2x?xi64>, tensor<8x8xi1>, tensor<8xf32>, tensor<8x8xf32>) {
  %i = torch.call operator.add(%ids, 1) : (tensor<1x8xi64>) -> tensor<1x8xi64>
  %f = torch.call Tensor.to(%i, float32) : (tensor<1x8xi64>) -> tensor<1x8xf32>
  %m = torch.call operator.mul(%f, -3.4e+38) : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %s = torch.call operator.add(%x, %m) : (tensor<8x8xf32>, tensor<1x8xf32>) -> tensor<8x8xf32>
  %p = torch.call operator.gt(%s, 0.5) : (tensor<8x8xf32>) -> tensor<8x8xi1>
  %q = torch.call operator.gt(%x, 0.5) : (tensor<8x8xf32>) -> tensor<8x8xi1>
  %e = torch.call Tensor.to(%d, float32) : (tensor<8xf64>) -> tensor<8xf32>
  %n = torch.call ops.non_zero(%s) : (tensor<8x8xf32>) -> tensor<2x?xi64>
  %u = torch.call torch.where(%p, %s, -3.4e+38) : (tensor<8x8xi1>, tensor<8x8xf32>) -> tensor<8x8xf32>
  func.return %n, %q, %e, %u : tensor<2x?xi64>, tensor<8x8xi1>, tensor<8xf32>, tensor<8x8xf32>
}

// -----

// A few numbers are sizes or a time until they meet low values. The scales of a resize stay, and so
// do the weights of a BatchNorm; rows of a table of weights are low; a value of an unknown type is
// computed from what it was.
// CHECK-LABEL: func.func @numbers(
// CHECK-NEXT:  %x_bf16 = torch.call Tensor.to(%x, bfloat16)
// CHECK-NEXT:  %table = torch.weight "table.bf16" : tensor<64x8xbf16>
// CHECK-NEXT:  %0 = torch.call operator.mul(%t, 2) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:  %1 = torch.call ops.resize(%x_bf16, mode = "linear", coordinates = "half_pixel", scales = %0) : (tensor<1x4x8x8xbf16>, tensor<4xf32>) -> tensor<1x4x?x?xbf16>
// CHECK-NEXT:  %2 = torch.layer BatchNorm(%1) weights {weight = "w" : tensor<4xf32>, bias = "b" : tensor<4xf32>, running_mean = "m" : tensor<4xf32>, running_var = "v" : tensor<4xf32>} : (tensor<1x4x?x?xbf16>) -> tensor<1x4x?x?xbf16>
// CHECK-NEXT:  %3 = torch.call Tensor.to(%2, float32)
// CHECK-NEXT:  %4 = torch.call ops.gather(%table, %ids, 0) {torch.suffix = "bf16"} : (tensor<64x8xbf16>, tensor<3xi64>) -> tensor<3x8xbf16>
// CHECK-NEXT:  %5 = torch.call Tensor.to(%4, float32)
// CHECK-NEXT:  %6 = torch.call torch.tanh(%3) : (tensor<1x4x?x?xf32>) -> tensor<*x!onnx.unknown>
func.func @numbers(%x: tensor<1x4x8x8xf32>, %t: tensor<4xf32>, %ids: tensor<3xi64>) -> (tensor<3x8xf32>, tensor<*x!onnx.unknown>) {
  %table = torch.weight "table" : tensor<64x8xf32>
  %0 = torch.call operator.mul(%t, 2) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = torch.call ops.resize(%x, mode = "linear", coordinates = "half_pixel", scales = %0) : (tensor<1x4x8x8xf32>, tensor<4xf32>) -> tensor<1x4x?x?xf32>
  %2 = torch.layer BatchNorm(%1) weights {weight = "w" : tensor<4xf32>, bias = "b" : tensor<4xf32>, running_mean = "m" : tensor<4xf32>, running_var = "v" : tensor<4xf32>} : (tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  %3 = torch.call ops.gather(%table, %ids, 0) : (tensor<64x8xf32>, tensor<3xi64>) -> tensor<3x8xf32>
  %4 = torch.call torch.tanh(%2) : (tensor<1x4x?x?xf32>) -> tensor<*x!onnx.unknown>
  func.return %3, %4 : tensor<3x8xf32>, tensor<*x!onnx.unknown>
}
