// RUN: ramiel-opt %s -p onnx-to-torch --split-input-file --verify-diagnostics | filecheck %s

// All operators without a lowering are named at once, with counts.
func.func @unsupported(%x: tensor<4xf32>, %i: tensor<4xi64>) {
  %0 = onnx.Custom "even"(%x) {onnx.domain = "com.example", onnx.op_type = "Even"} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = onnx.Custom(%x) {onnx.domain = "com.example", onnx.op_type = "Even"} : (tensor<4xf32>) -> tensor<4xf32>
  %2 = onnx.Custom "odd"(%x) {onnx.domain = "com.example", onnx.op_type = "Odd"} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
// CHECK: error: node "even" (com.example::Even, opset {{[0-9]+}}): has no lowering to PyTorch; unsupported in all: com.example::Even (2), com.example::Odd (1)

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
// CHECK: error: node "norm" (BatchNormalization, opset {{[0-9]+}}): in training mode its running statistics must be results

// -----

func.func @no_window(%x: tensor<1x4x2x2xf32>) {
  %0 = onnx.LRN "lrn"(%x) {size = 0 : i64} : (tensor<1x4x2x2xf32>) -> tensor<1x4x2x2xf32>
  func.return
}
// CHECK: error: node "lrn" (LRN, opset {{[0-9]+}}): attribute 'size' must be positive, and is 0

// -----

// A layout that ONNX Runtime makes for one machine; the message says how to do without.
func.func @blocked(%x: tensor<1x4x2x2xf32>) {
  %0 = onnx.Custom "conv"(%x) {onnx.domain = "com.microsoft.nchwc", onnx.op_type = "Conv"} : (tensor<1x4x2x2xf32>) -> tensor<1x4x2x2xf32>
  func.return
}
// CHECK: error: node "conv" (com.microsoft.nchwc::Conv, opset {{[0-9]+}}): is in ONNX Runtime's blocked layout, which is made for one machine: optimise the model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL
