// RUN: ramiel-opt --pass-pipeline=onnx-clone-tasks %s | filecheck %s
// RUN: ramiel-opt --pass-pipeline=onnx-clone-tasks,onnx-common-subexpressions %s | filecheck %s
// RUN: ramiel-opt --pass-pipeline=onnx-clone-tasks %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --pass-pipeline='onnx-clone-tasks{most-cost=10}' %s | filecheck %s --check-prefix SINGLE
// RUN: ramiel-opt --pass-pipeline='onnx-clone-tasks{budget=0.001}' %s | filecheck %s --check-prefix SINGLE
// RUN: ramiel-opt --pass-pipeline='onnx-clone-tasks{hand-over=0}' %s | filecheck %s --check-prefix SINGLE
// RUN: ramiel-opt --pass-pipeline=onnx-clone-tasks,onnx-to-torch,torch-assign-names %s | filecheck %s --check-prefix TORCH
// RUN: not ramiel-opt -p 'onnx-clone-tasks{budget=0}' %s 2>&1 | filecheck %s --check-prefix ZERO
// RUN: not ramiel-opt -p 'onnx-clone-tasks{budget=-0.5}' %s 2>&1 | filecheck %s --check-prefix NEGATIVE
// RUN: not ramiel-opt -p 'onnx-clone-tasks{budget=nan}' %s 2>&1 | filecheck %s --check-prefix NAN
// RUN: not ramiel-opt -p 'onnx-clone-tasks{most-cost=0}' %s 2>&1 | filecheck %s --check-prefix MOST
// RUN: not ramiel-opt -p 'onnx-clone-tasks{hand-over=-1}' %s 2>&1 | filecheck %s --check-prefix HAND
// ZERO: error: onnx-clone-tasks: a budget of 0 clones nothing: it must be more than 0
// NEGATIVE: error: onnx-clone-tasks: a budget of -0.5 clones nothing
// NAN: error: {{.*}}nan
// MOST: error: onnx-clone-tasks: a largest cost of 0 clones nothing
// HAND: error: onnx-clone-tasks: hand_over is -1.0: not a finite number >= 0

// A chain of two cheap operations on the input, whose value two branches of equal cost wait for:
// the branch that is not on the critical path gets the whole chain for itself. %t is not cloned:
// its own input would have to cross instead.
// CHECK:      func.func @main
// CHECK-NEXT: %w = onnx.Weight
// CHECK-NEXT: %s = onnx.Sigmoid "s"(%x) :
// CHECK-NEXT: %[[S:s.clone.[0-9]+]] = onnx.Sigmoid "s"(%x) {onnx.clone = [[SN:[0-9]+]] : i64}
// CHECK-NEXT: %m = onnx.Neg(%s) :
// CHECK-NEXT: %[[M:m.clone.[0-9]+]] = onnx.Neg(%[[S]]) {onnx.clone = {{[0-9]+}} : i64}
// CHECK-NEXT: %a = onnx.Conv "a"(%{{.*}}, %w)
// CHECK-NEXT: %b = onnx.Conv "b"(%{{.*}}, %w)
// CHECK-NEXT: %t = onnx.Tanh(%a)
// CHECK-NEXT: %c = onnx.Conv "c"(%t, %w)
// CHECK-NEXT: %d = onnx.Conv "d"(%t, %w)
// CHECK-NEXT: %y = onnx.Sum(%b, %c, %d)
// SINGLE-NOT: onnx.clone
// TORCH: torch.sigmoid{{.*}}torch.names = ["sigmoid"]
// TORCH: torch.sigmoid{{.*}}torch.names = ["s_clone_1"]
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @main(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32> {
    %w = onnx.Weight "w" : tensor<64x64x3x3xf32>
    %s = onnx.Sigmoid "s"(%x) : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    %m = onnx.Neg(%s) : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    %a = onnx.Conv "a"(%m, %w) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %b = onnx.Conv "b"(%m, %w) {pads = array<i64: 1, 1, 1, 1>, group = 1 : i64} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %t = onnx.Tanh(%a) : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    %c = onnx.Conv "c"(%t, %w) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %d = onnx.Conv "d"(%t, %w) {pads = array<i64: 1, 1, 1, 1>, group = 1 : i64} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %y = onnx.Sum(%b, %c, %d) : (tensor<1x64x56x56xf32>, tensor<1x64x56x56xf32>, tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    func.return %y : tensor<1x64x56x56xf32>
  }
}
