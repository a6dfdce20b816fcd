// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of matrix products.

// Too few operands.
// CHECK: error: node "mm" (MatMul, opset 17): expected 2 input(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %mat_mul = onnx.MatMul "mm"(%x) : (tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// The bias of Gemm is not optional before opset 11.
// CHECK: error: node "gemm" (Gemm, opset 9): expected 3 input(s), got 2
builtin.module attributes {onnx.opset = 9 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gemm = onnx.Gemm(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// A flag that is no integer.
// CHECK: error: node "gemm" (Gemm, opset 17): attribute 'transA' must be INT, is `true`
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gemm = onnx.Gemm(%x, %x) {transA = true} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// A product of strings.
// CHECK: error: node "mat_mul" (MatMul, opset 17): input 0 (A) may not be tensor(string)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%s: tensor<2x2x!onnx.string>) {
    %mat_mul = onnx.MatMul(%s, %s) : (tensor<2x2x!onnx.string>, tensor<2x2x!onnx.string>) -> tensor<2x2x!onnx.string>
    func.return
  }
}

// -----

// The equation is required.
// CHECK: error: node "einsum" (Einsum, opset 17): attribute 'equation' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %einsum = onnx.Einsum(%x) : (tensor<2x3xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// Attention came with opset 23.
// CHECK: error: node "attention" (Attention, opset 22): Attention is not in opset 22: it came with opset 23
builtin.module attributes {onnx.opset = 22 : i64} {
  func.func @f(%x: tensor<1x2x4x8xf32>) {
    %attention = onnx.Attention(%x, %x, %x) : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
    func.return
  }
}
