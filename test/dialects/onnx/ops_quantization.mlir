// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Quantisation: integer types of eight and four bits and floats of eight.

// CHECK: builtin.module attributes {onnx.opset = 21 : i64} {
builtin.module attributes {onnx.opset = 21 : i64} {
  // CHECK: func.func @quantization(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<ui8>, %q: tensor<2x4xui8>, %kz: tensor<i8>, %n: tensor<2x4xi4>, %bs: tensor<2x2xf32>, %e: tensor<f8E5M2>) {
  func.func @quantization(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<ui8>, %q: tensor<2x4xui8>, %kz: tensor<i8>, %n: tensor<2x4xi4>, %bs: tensor<2x2xf32>, %e: tensor<f8E5M2>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %quantize_linear = onnx.QuantizeLinear(%x, %s, %z) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x4xui8>
    %quantize_linear = onnx.QuantizeLinear(%x, %s, %z) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x4xui8>
    // CHECK-NEXT: %quantize_linear2 = onnx.QuantizeLinear(%x, %s, %kz) : (tensor<2x4xf32>, tensor<f32>, tensor<i8>) -> tensor<2x4xi8>
    %quantize_linear2 = onnx.QuantizeLinear(%x, %s, %kz) : (tensor<2x4xf32>, tensor<f32>, tensor<i8>) -> tensor<2x4xi8>
    // CHECK-NEXT: %quantize_linear3 = onnx.QuantizeLinear(%x, %bs) {block_size = 2 : i64, output_dtype = 22 : i64} : (tensor<2x4xf32>, tensor<2x2xf32>) -> tensor<2x4xi4>
    %quantize_linear3 = onnx.QuantizeLinear(%x, %bs) {block_size = 2 : i64, output_dtype = 22 : i64} : (tensor<2x4xf32>, tensor<2x2xf32>) -> tensor<2x4xi4>
    // CHECK-NEXT: %quantize_linear4 = onnx.QuantizeLinear(%x, %s, %e) {saturate = 0 : i64} : (tensor<2x4xf32>, tensor<f32>, tensor<f8E5M2>) -> tensor<2x4xf8E5M2>
    %quantize_linear4 = onnx.QuantizeLinear(%x, %s, %e) {saturate = 0 : i64} : (tensor<2x4xf32>, tensor<f32>, tensor<f8E5M2>) -> tensor<2x4xf8E5M2>
    // CHECK-NEXT: %dequantize_linear = onnx.DequantizeLinear(%q, %s, %z) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
    %dequantize_linear = onnx.DequantizeLinear(%q, %s, %z) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
    // CHECK-NEXT: %dequantize_linear2 = onnx.DequantizeLinear(%n, %bs) {axis = 1 : i64, block_size = 2 : i64} : (tensor<2x4xi4>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %dequantize_linear2 = onnx.DequantizeLinear(%n, %bs) {axis = 1 : i64, block_size = 2 : i64} : (tensor<2x4xi4>, tensor<2x2xf32>) -> tensor<2x4xf32>
    // CHECK-NEXT: %dynamic_quantize_linear.a, %dynamic_quantize_linear.b, %dynamic_quantize_linear.c = onnx.DynamicQuantizeLinear(%x) : (tensor<2x4xf32>) -> (tensor<2x4xui8>, tensor<f32>, tensor<ui8>)
    %dynamic_quantize_linear.a, %dynamic_quantize_linear.b, %dynamic_quantize_linear.c = onnx.DynamicQuantizeLinear(%x) : (tensor<2x4xf32>) -> (tensor<2x4xui8>, tensor<f32>, tensor<ui8>)
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @integer_products(%x: tensor<1x2x5x5xui8>, %w: tensor<3x2x3x3xi8>, %s: tensor<f32>, %z: tensor<ui8>, %wz: tensor<i8>, %b: tensor<3xi32>, %a: tensor<2x4xui8>, %m: tensor<4x3xi8>) {
  func.func @integer_products(%x: tensor<1x2x5x5xui8>, %w: tensor<3x2x3x3xi8>, %s: tensor<f32>, %z: tensor<ui8>, %wz: tensor<i8>, %b: tensor<3xi32>, %a: tensor<2x4xui8>, %m: tensor<4x3xi8>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %qlinear_conv = onnx.QLinearConv(%x, %s, %z, %w, %s, %wz, %s, %z, %b) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x2x5x5xui8>, tensor<f32>, tensor<ui8>, tensor<3x2x3x3xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<ui8>, tensor<3xi32>) -> tensor<1x3x5x5xui8>
    %qlinear_conv = onnx.QLinearConv(%x, %s, %z, %w, %s, %wz, %s, %z, %b) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x2x5x5xui8>, tensor<f32>, tensor<ui8>, tensor<3x2x3x3xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<ui8>, tensor<3xi32>) -> tensor<1x3x5x5xui8>
    // CHECK-NEXT: %qlinear_mat_mul = onnx.QLinearMatMul(%a, %s, %z, %m, %s, %wz, %s, %z) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>, tensor<4x3xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
    %qlinear_mat_mul = onnx.QLinearMatMul(%a, %s, %z, %m, %s, %wz, %s, %z) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>, tensor<4x3xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
    // CHECK-NEXT: %conv_integer = onnx.ConvInteger(%x, %w, %none, %wz) {kernel_shape = array<i64: 3, 3>} : (tensor<1x2x5x5xui8>, tensor<3x2x3x3xi8>, none, tensor<i8>) -> tensor<1x3x3x3xi32>
    %conv_integer = onnx.ConvInteger(%x, %w, %none, %wz) {kernel_shape = array<i64: 3, 3>} : (tensor<1x2x5x5xui8>, tensor<3x2x3x3xi8>, none, tensor<i8>) -> tensor<1x3x3x3xi32>
    // CHECK-NEXT: %mat_mul_integer = onnx.MatMulInteger(%a, %m, %z, %wz) : (tensor<2x4xui8>, tensor<4x3xi8>, tensor<ui8>, tensor<i8>) -> tensor<2x3xi32>
    %mat_mul_integer = onnx.MatMulInteger(%a, %m, %z, %wz) : (tensor<2x4xui8>, tensor<4x3xi8>, tensor<ui8>, tensor<i8>) -> tensor<2x3xi32>
    // CHECK-NEXT: %mat_mul_integer2 = onnx.MatMulInteger(%a, %m) : (tensor<2x4xui8>, tensor<4x3xi8>) -> tensor<2x3xi32>
    %mat_mul_integer2 = onnx.MatMulInteger(%a, %m) : (tensor<2x4xui8>, tensor<4x3xi8>) -> tensor<2x3xi32>
    // CHECK-NEXT: func.return
    func.return
  }
}
