// RUN: ramiel-opt --split-input-file %s | filecheck %s
// RUN: ramiel-opt --split-input-file -p onnx-infer-shapes,onnx-common-subexpressions %s | filecheck %s --check-prefix PASSES
// RUN: ramiel-opt --split-input-file -p onnx-to-torch %s | filecheck %s --check-prefix TORCH

// An operation may be of another opset than its module. Then it has that one's form, types and
// meaning.
// CHECK: %a = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
// CHECK: %b = onnx.ReduceSum(%x) {axes = array<i64: 1>, keepdims = 0 : i64, onnx.opset = 11 : i64} : (tensor<2x3xf32>) -> tensor<*xf32>
// PASSES: %a = onnx.ReduceSum({{.*}} -> tensor<2xf32>
// PASSES: %b = onnx.ReduceSum({{.*}} -> tensor<2xf32>
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @main(%x: tensor<2x3xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
    %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
    %a = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
    %b = onnx.ReduceSum(%x) {axes = array<i64: 1>, keepdims = 0 : i64, onnx.opset = 11 : i64} : (tensor<2x3xf32>) -> tensor<*xf32>
    func.return %a, %b : tensor<*xf32>, tensor<*xf32>
  }
}

// -----

// Two operations that differ in their opsets are not the same.
// PASSES: %a = onnx.Softmax(%x) {axis = 0 : i64}
// PASSES-NEXT: %b = onnx.Softmax(%x) {axis = 0 : i64, onnx.opset = 11 : i64}
// PASSES-NEXT: func.return %a, %b, %b
// TORCH: torch.call F.softmax(%x, dim = 0)
// TORCH: torch.call ops.legacy_softmax(%x, 0, "softmax")
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @main(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
    %a = onnx.Softmax(%x) {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %b = onnx.Softmax(%x) {axis = 0 : i64, onnx.opset = 11 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %c = onnx.Softmax(%x) {axis = 0 : i64, onnx.opset = 11 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return %a, %b, %c : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
  }
}
