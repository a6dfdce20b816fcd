// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Matrix products, attention and transforms.

// CHECK: builtin.module attributes {onnx.opset = 24 : i64} {
builtin.module attributes {onnx.opset = 24 : i64} {
  // CHECK: func.func @products(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<4xf32>, %s: tensor<5x3x3xf32>) {
  func.func @products(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<4xf32>, %s: tensor<5x3x3xf32>) {
    // CHECK-NEXT: %mat_mul = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %mat_mul = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %gemm = onnx.Gemm "fc"(%a, %b, %c) {alpha = 1.000000e+00 : f32, beta = 5.000000e-01 : f32, transA = 0 : i64, transB = 0 : i64} : (tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    %gemm = onnx.Gemm "fc"(%a, %b, %c) {alpha = 1.000000e+00 : f32, beta = 5.000000e-01 : f32, transA = 0 : i64, transB = 0 : i64} : (tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %gemm2 = onnx.Gemm(%a, %b) : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %gemm2 = onnx.Gemm(%a, %b) : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %det = onnx.Det(%s) : (tensor<5x3x3xf32>) -> tensor<5xf32>
    %det = onnx.Det(%s) : (tensor<5x3x3xf32>) -> tensor<5xf32>
    // CHECK-NEXT: %einsum = onnx.Einsum(%a, %b) {equation = "ij,jk->ik"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %einsum = onnx.Einsum(%a, %b) {equation = "ij,jk->ik"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %einsum2 = onnx.Einsum(%s) {equation = "...ii->...i"} : (tensor<5x3x3xf32>) -> tensor<5x3xf32>
    %einsum2 = onnx.Einsum(%s) {equation = "...ii->...i"} : (tensor<5x3x3xf32>) -> tensor<5x3xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @attention(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x6x8xf32>, %v: tensor<1x2x6x8xf32>, %mask: tensor<4x6xi1>, %cos: tensor<4x4xf32>, %ids: tensor<1x4xi64>, %cache: tensor<1x2x16x8xf32>, %at: tensor<1xi64>) {
  func.func @attention(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x6x8xf32>, %v: tensor<1x2x6x8xf32>, %mask: tensor<4x6xi1>, %cos: tensor<4x4xf32>, %ids: tensor<1x4xi64>, %cache: tensor<1x2x16x8xf32>, %at: tensor<1xi64>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %attention = onnx.Attention(%q, %k, %v) {is_causal = 1 : i64, scale = 1.250000e-01 : f32} : (tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x2x4x8xf32>
    %attention = onnx.Attention(%q, %k, %v) {is_causal = 1 : i64, scale = 1.250000e-01 : f32} : (tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x2x4x8xf32>
    // CHECK-NEXT: %attention2 = onnx.Attention(%q, %k, %v, %mask, %none, %none) {softcap = 0.000000e+00 : f32} : (tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<4x6xi1>, none, none) -> tensor<1x2x4x8xf32>
    %attention2 = onnx.Attention(%q, %k, %v, %mask, %none, %none) {softcap = 0.000000e+00 : f32} : (tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<4x6xi1>, none, none) -> tensor<1x2x4x8xf32>
    // CHECK-NEXT: %rotary_embedding = onnx.RotaryEmbedding(%q, %cos, %cos) {interleaved = 1 : i64} : (tensor<1x2x4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<1x2x4x8xf32>
    %rotary_embedding = onnx.RotaryEmbedding(%q, %cos, %cos) {interleaved = 1 : i64} : (tensor<1x2x4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<1x2x4x8xf32>
    // CHECK-NEXT: %tensor_scatter = onnx.TensorScatter(%cache, %k, %at) {axis = -2 : i64, mode = "circular"} : (tensor<1x2x16x8xf32>, tensor<1x2x6x8xf32>, tensor<1xi64>) -> tensor<1x2x16x8xf32>
    %tensor_scatter = onnx.TensorScatter(%cache, %k, %at) {axis = -2 : i64, mode = "circular"} : (tensor<1x2x16x8xf32>, tensor<1x2x6x8xf32>, tensor<1xi64>) -> tensor<1x2x16x8xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @signals(%x: tensor<1x128x1xf32>, %length: tensor<i64>, %w: tensor<16xf32>) {
  func.func @signals(%x: tensor<1x128x1xf32>, %length: tensor<i64>, %w: tensor<16xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %hann_window = onnx.HannWindow(%length) {output_datatype = 1 : i64, periodic = 0 : i64} : (tensor<i64>) -> tensor<?xf32>
    %hann_window = onnx.HannWindow(%length) {output_datatype = 1 : i64, periodic = 0 : i64} : (tensor<i64>) -> tensor<?xf32>
    // CHECK-NEXT: %hamming_window = onnx.HammingWindow(%length) : (tensor<i64>) -> tensor<?xf32>
    %hamming_window = onnx.HammingWindow(%length) : (tensor<i64>) -> tensor<?xf32>
    // CHECK-NEXT: %blackman_window = onnx.BlackmanWindow(%length) : (tensor<i64>) -> tensor<?xf32>
    %blackman_window = onnx.BlackmanWindow(%length) : (tensor<i64>) -> tensor<?xf32>
    // CHECK-NEXT: %dft = onnx.DFT(%x, %length) {inverse = 0 : i64, onesided = 1 : i64} : (tensor<1x128x1xf32>, tensor<i64>) -> tensor<1x?x2xf32>
    %dft = onnx.DFT(%x, %length) {inverse = 0 : i64, onesided = 1 : i64} : (tensor<1x128x1xf32>, tensor<i64>) -> tensor<1x?x2xf32>
    // CHECK-NEXT: %stft = onnx.STFT(%x, %length, %w) : (tensor<1x128x1xf32>, tensor<i64>, tensor<16xf32>) -> tensor<1x?x?x2xf32>
    %stft = onnx.STFT(%x, %length, %w) : (tensor<1x128x1xf32>, tensor<i64>, tensor<16xf32>) -> tensor<1x?x?x2xf32>
    // CHECK-NEXT: %stft2 = onnx.STFT(%x, %length, %none, %length) {onesided = 1 : i64} : (tensor<1x128x1xf32>, tensor<i64>, none, tensor<i64>) -> tensor<1x?x?x2xf32>
    %stft2 = onnx.STFT(%x, %length, %none, %length) {onesided = 1 : i64} : (tensor<1x128x1xf32>, tensor<i64>, none, tensor<i64>) -> tensor<1x?x?x2xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
