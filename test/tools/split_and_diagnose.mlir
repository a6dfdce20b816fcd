// Each chunk is processed alone. With --verify-diagnostics each must have an error: a valid one fails.
// RUN: ramiel-opt %s --split-input-file --verify-diagnostics | filecheck %s
// RUN: not ramiel-opt %S/pipelines.mlir --verify-diagnostics 2>&1 | filecheck %s --check-prefix VALID
// VALID: error: the input at line 1 has no error to diagnose

func.func @first(%x: tensor<2xf32>) {
  %0 = onnx.Relu(%x) {alpha = 1.0 : f32} : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}
// CHECK: error: {{.*}}Relu{{.*}}unknown attribute 'alpha'

// -----

func.func @second(%x: tensor<2xf32>) {
  %0 = onnx.Add(%x) : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}
// CHECK: error: {{.*}}Add{{.*}}expected 2 input(s), got 1
