// RUN: ramiel-opt %s -p onnx-to-torch --split-input-file --verify-diagnostics | filecheck %s

// All operators without a lowering are named at once, with counts.
func.func @unsupported(%x: tensor<4xf32>, %i: tensor<4xi64>) {
  %0 = onnx.Bernoulli "dice"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = onnx.Bernoulli(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = onnx.Custom "odd"(%x) {onnx.domain = "com.example", onnx.op_type = "Odd"} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
// CHECK: error: node "dice" (Bernoulli, opset {{[0-9]+}}): has no lowering to PyTorch; unsupported in all: Bernoulli (2), com.example::Odd (1)

// -----

// An operator of an opset older than its first entry.
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @old(%x: tensor<1x4x2x2xf32>, %p: tensor<2xf32>) {
    %0 = onnx.GroupNormalization "norm"(%x, %p, %p) {num_groups = 2 : i64} : (tensor<1x4x2x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x4x2x2xf32>
    func.return
  }
}
// CHECK: error: node "norm" (GroupNormalization, opset 18): is lowered from opset 21 on: convert the model to that opset

// -----

// An entry that refuses says why.
func.func @training(%x: tensor<1x4x2x2xf32>, %p: tensor<4xf32>) {
  %0 = onnx.BatchNormalization "norm"(%x, %p, %p, %p, %p) {training_mode = 1 : i64} : (tensor<1x4x2x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x2x2xf32>
  func.return
}
// CHECK: error: node "norm" (BatchNormalization, opset {{[0-9]+}}): in training its running statistics have to be results
