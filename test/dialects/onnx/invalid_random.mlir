// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of random operators.

// The shape is required.
// CHECK: error: node "r" (RandomNormal, opset 17): attribute 'shape' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %random_normal = onnx.RandomNormal "r"() : () -> tensor<2xf32>
    func.return
  }
}

// -----

// An operand where there is none.
// CHECK: error: node "random_normal" (RandomNormal, opset 17): expected 0 input(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %random_normal = onnx.RandomNormal(%x) {shape = array<i64: 2>} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// Random integers.
// CHECK: error: node "random_uniform_like" (RandomUniformLike, opset 17): output 0 (output) may not be tensor(int64)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %random_uniform_like = onnx.RandomUniformLike(%x) : (tensor<2xf32>) -> tensor<2xi64>
    func.return
  }
}

// -----

// Bernoulli came with opset 15.
// CHECK: error: node "bernoulli" (Bernoulli, opset 14): Bernoulli is not in opset 14: it came with opset 15
builtin.module attributes {onnx.opset = 14 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %bernoulli = onnx.Bernoulli(%x) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}
