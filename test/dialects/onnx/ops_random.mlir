// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Operators that draw random numbers.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @random(%x: tensor<2x3xf32>, %p: tensor<2x3xf32>, %lg: tensor<1x8xf32>) {
  func.func @random(%x: tensor<2x3xf32>, %p: tensor<2x3xf32>, %lg: tensor<1x8xf32>) {
    // CHECK-NEXT: %random_normal = onnx.RandomNormal() {dtype = 1 : i64, mean = 0.000000e+00 : f32, scale = 1.000000e+00 : f32, seed = 3.000000e+00 : f32, shape = array<i64: 2, 3>} : () -> tensor<2x3xf32>
    %random_normal = onnx.RandomNormal() {dtype = 1 : i64, mean = 0.000000e+00 : f32, scale = 1.000000e+00 : f32, seed = 3.000000e+00 : f32, shape = array<i64: 2, 3>} : () -> tensor<2x3xf32>
    // CHECK-NEXT: %random_uniform = onnx.RandomUniform "noise"() {high = 1.000000e+00 : f32, low = -1.000000e+00 : f32, shape = array<i64: 4>} : () -> tensor<4xf32>
    %random_uniform = onnx.RandomUniform "noise"() {high = 1.000000e+00 : f32, low = -1.000000e+00 : f32, shape = array<i64: 4>} : () -> tensor<4xf32>
    // CHECK-NEXT: %random_normal_like = onnx.RandomNormalLike(%x) {dtype = 11 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf64>
    %random_normal_like = onnx.RandomNormalLike(%x) {dtype = 11 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf64>
    // CHECK-NEXT: %random_uniform_like = onnx.RandomUniformLike(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %random_uniform_like = onnx.RandomUniformLike(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %bernoulli = onnx.Bernoulli(%p) {dtype = 9 : i64, seed = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xi1>
    %bernoulli = onnx.Bernoulli(%p) {dtype = 9 : i64, seed = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %multinomial = onnx.Multinomial(%lg) {dtype = 7 : i64, sample_size = 4 : i64} : (tensor<1x8xf32>) -> tensor<1x4xi64>
    %multinomial = onnx.Multinomial(%lg) {dtype = 7 : i64, sample_size = 4 : i64} : (tensor<1x8xf32>) -> tensor<1x4xi64>
    // CHECK-NEXT: func.return
    func.return
  }
}
