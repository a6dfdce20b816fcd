// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of opsets of single operations.

// An operator that came later.
// CHECK: error: node "y" (Gelu, opset 17): Gelu is not in opset 17: it came with opset 20
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %y = onnx.Gelu(%x) {onnx.opset = 17 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The form of another version.
// CHECK: error: node "y" (ReduceSum, opset 11): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %a: tensor<1xi64>) {
    %y = onnx.ReduceSum(%x, %a) {onnx.opset = 11 : i64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// No number.
// CHECK: error: node "y" (Relu, opset 21): onnx.opset must be an integer
builtin.module attributes {onnx.opset = 21 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %y = onnx.Relu(%x) {onnx.opset = "11"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}
