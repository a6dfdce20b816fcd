// xDSL's and MLIR's spelling of a pipeline are the same, options and all.
// RUN: ramiel-opt %s -p 'onnx-remove-identity,onnx-constant-fold{max-bytes=0},onnx-dead-code' | filecheck %s
// RUN: ramiel-opt %s --pass-pipeline='builtin.module(onnx-remove-identity,onnx-constant-fold{max-bytes=0},onnx-dead-code)' | filecheck %s
// RUN: ramiel-opt %s --pass-pipeline='onnx-remove-identity,onnx-constant-fold{max-bytes=0},onnx-dead-code' | filecheck %s
// RUN: ramiel-opt %s -p onnx-constant-fold | filecheck %s --check-prefix FOLDED

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %1 = onnx.Neg(%0) : (tensor<2xf32>) -> tensor<2xf32>
  %2 = onnx.Identity(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %3 = onnx.Add(%2, %1) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %3 : tensor<2xf32>
}

// CHECK-NOT:  onnx.Identity
// CHECK:      onnx.Neg
// CHECK:      onnx.Add
// FOLDED-NOT: onnx.Neg
// FOLDED:     onnx.Add
