// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of quantisation.

// Quantised to floats.
// CHECK: error: node "quantize_linear" (QuantizeLinear, opset 17): output 0 (y) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x4xf32>, %s: tensor<f32>) {
    %quantize_linear = onnx.QuantizeLinear(%x, %s) : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    func.return
  }
}

// -----

// The zero point is of the result's type.
// CHECK: error: node "quantize_linear" (QuantizeLinear, opset 17): output 0 (y) is tensor(int8), but T2 is tensor(uint8)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<ui8>) {
    %quantize_linear = onnx.QuantizeLinear(%x, %s, %z) : (tensor<2x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x4xi8>
    func.return
  }
}

// -----

// Four bits came with opset 21.
// CHECK: error: node "quantize_linear" (QuantizeLinear, opset 20): input 2 (y_zero_point) may not be tensor(int4)
builtin.module attributes {onnx.opset = 20 : i64} {
  func.func @f(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<i4>) {
    %quantize_linear = onnx.QuantizeLinear(%x, %s, %z) : (tensor<2x4xf32>, tensor<f32>, tensor<i4>) -> tensor<2x4xi4>
    func.return
  }
}

// -----

// Too few results.
// CHECK: error: node "dynamic_quantize_linear.a" (DynamicQuantizeLinear, opset 17): expected 3 output(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x4xf32>) {
    %dynamic_quantize_linear.a, %dynamic_quantize_linear.b = onnx.DynamicQuantizeLinear(%x) : (tensor<2x4xf32>) -> (tensor<2x4xui8>, tensor<f32>)
    func.return
  }
}

// -----

// Too few operands.
// CHECK: error: node "qlinear_mat_mul" (QLinearMatMul, opset 17): expected 8 input(s), got 3
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x4xui8>, %s: tensor<f32>) {
    %qlinear_mat_mul = onnx.QLinearMatMul(%x, %s, %x) : (tensor<2x4xui8>, tensor<f32>, tensor<2x4xui8>) -> tensor<2x4xui8>
    func.return
  }
}
