// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of matrix products.

// Too few operands.
// CHECK: 
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %mat_mul = onnx.MatMul "mm"(%x) : (tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// The bias of Gemm is not optional before opset 11.
// CHECK: ???
builtin.module attributes {onnx.opset = 9 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gemm = onnx.Gemm(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// A flag that is no integer.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gemm = onnx.Gemm(%x, %x) {transA = true} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
    func.return
  }
}

// -----

// A product of strings.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%s: tensor<2x2x!onnx.string>) {
    %mat_mul = onnx.MatMul(%s, %s) : (tensor<2x2x!onnx.string>, tensor<2x2x!onnx.string>) -> tensor<2x2x!onnx.string>
    func.return
  }
}

// -----

// The equation is required.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %einsum = onnx.Einsum(%x) : (tensor<2x3xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// Attention came with opset 23.
// CHECK: ???
builtin.module attributes {onnx.opset = 22 : i64} {
  func.func @f(%x: tensor<1x2x4x8xf32>) {
    %attention = onnx.Attention(%x, %x, %x) : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
    func.return
  }
}
