// RUN: ramiel-opt --split-input-file --verify-diagnostics -p onnx-infer-shapes %s | filecheck %s

// Shapes that do not fit together.
// CHECK: error: node "sum" (Add, opset 17):
// CHECK-SAME: ncompatible dimensions
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %y: tensor<4xf32>) {
    %a = onnx.Add "sum"(%x, %y) : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<*xf32>
    func.return
  }
}

// -----

// A reshape to another number of elements.
// CHECK: error: node "r" (Reshape, opset 17):
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %s = onnx.Constant() {value = dense<[4, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
    %r = onnx.Reshape "r"(%x, %s) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
    func.return
  }
}
