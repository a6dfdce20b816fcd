// The IR between passes, on the terminal and as numbered files that can be fed back.
// RUN: ramiel-opt %s -p onnx-remove-identity,onnx-dead-code --print-between-passes | filecheck %s
// RUN: rm -rf %t.ir
// RUN: ramiel-opt %s -p onnx-remove-identity,onnx-dead-code --dump-ir %t.ir
// RUN: filecheck %s --check-prefix INPUT --input-file %t.ir/00_input.mlir
// RUN: ramiel-opt %t.ir/01_onnx-remove-identity.mlir | filecheck %s --check-prefix REMOVED
// RUN: ramiel-opt %s -o %t.out.mlir
// RUN: ramiel-opt %t.out.mlir | filecheck %s --check-prefix INPUT

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = onnx.Identity(%x) : (tensor<2xf32>) -> tensor<2xf32>
  func.return %0 : tensor<2xf32>
}

// CHECK:       // IR after onnx-remove-identity
// CHECK:       func.return %x
// INPUT:       onnx.Identity
// REMOVED-NOT: onnx.Identity
// REMOVED:     func.return %x
