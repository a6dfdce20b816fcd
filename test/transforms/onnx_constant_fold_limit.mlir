// RUN: ramiel-opt -p 'onnx-constant-fold{max-bytes=8}' %s | filecheck %s
// RUN: ramiel-opt -p 'onnx-constant-fold{max-bytes=0}' %s | filecheck %s --check-prefix NONE
// RUN: not ramiel-opt -p 'onnx-constant-fold{max-bytes=few}' %s 2>&1 | filecheck %s --check-prefix NUMBER
// RUN: not ramiel-opt -p 'onnx-constant-fold{most=1}' %s 2>&1 | filecheck %s --check-prefix UNKNOWN

// The limit is for all new constants together: eight bytes are the first two floats, no more.
// CHECK: %a = onnx.Constant() {value = dense<[-1.000000e+00, -2.000000e+00]>
// CHECK-NEXT: %b = onnx.Exp(%a)
// NONE: %a = onnx.Neg(%c)
// NONE-NEXT: %b = onnx.Exp(%a)
// NUMBER: error: {{.*}}few
// UNKNOWN: error: {{.*}}most
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @limit() -> tensor<2xf32> {
    %c = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %a = onnx.Neg(%c) : (tensor<2xf32>) -> tensor<2xf32>
    %b = onnx.Exp(%a) : (tensor<2xf32>) -> tensor<2xf32>
    func.return %b : tensor<2xf32>
  }
}
