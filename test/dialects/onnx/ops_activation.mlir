// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Activation functions, with their attributes of kind FLOAT, INT and STRING.

// CHECK: builtin.module attributes {onnx.opset = 24 : i64} {
builtin.module attributes {onnx.opset = 24 : i64} {
  // CHECK: func.func @activations(%x: tensor<2x3xf32>, %slope: tensor<3xf32>, %lo: tensor<f32>, %hi: tensor<f32>) {
  func.func @activations(%x: tensor<2x3xf32>, %slope: tensor<3xf32>, %lo: tensor<f32>, %hi: tensor<f32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %relu = onnx.Relu "relu"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %relu = onnx.Relu "relu"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %leaky_relu = onnx.LeakyRelu(%x) {alpha = 0.01234568 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %leaky_relu = onnx.LeakyRelu(%x) {alpha = 0.01234568 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %prelu = onnx.PRelu(%x, %slope) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %prelu = onnx.PRelu(%x, %slope) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %elu = onnx.Elu(%x) {alpha = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %elu = onnx.Elu(%x) {alpha = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %celu = onnx.Celu(%x) {alpha = 2.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %celu = onnx.Celu(%x) {alpha = 2.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %selu = onnx.Selu(%x) {alpha = 1.500000e+00 : f32, gamma = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %selu = onnx.Selu(%x) {alpha = 1.500000e+00 : f32, gamma = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %thresholded_relu = onnx.ThresholdedRelu(%x) {alpha = -1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %thresholded_relu = onnx.ThresholdedRelu(%x) {alpha = -1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %gelu = onnx.Gelu(%x) {approximate = "tanh"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %gelu = onnx.Gelu(%x) {approximate = "tanh"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %mish = onnx.Mish(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %mish = onnx.Mish(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %swish = onnx.Swish(%x) {alpha = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %swish = onnx.Swish(%x) {alpha = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %sigmoid = onnx.Sigmoid(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %sigmoid = onnx.Sigmoid(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %hard_sigmoid = onnx.HardSigmoid(%x) {alpha = 5.000000e-01 : f32, beta = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %hard_sigmoid = onnx.HardSigmoid(%x) {alpha = 5.000000e-01 : f32, beta = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %hard_swish = onnx.HardSwish(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %hard_swish = onnx.HardSwish(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %softplus = onnx.Softplus(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %softplus = onnx.Softplus(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %softsign = onnx.Softsign(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %softsign = onnx.Softsign(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %shrink = onnx.Shrink(%x) {bias = 0.000000e+00 : f32, lambd = 5.000000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %shrink = onnx.Shrink(%x) {bias = 0.000000e+00 : f32, lambd = 5.000000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %softmax = onnx.Softmax(%x) {axis = -1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %softmax = onnx.Softmax(%x) {axis = -1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %log_softmax = onnx.LogSoftmax(%x) {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %log_softmax = onnx.LogSoftmax(%x) {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %hardmax = onnx.Hardmax(%x) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %hardmax = onnx.Hardmax(%x) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // An optional input left out at the end, in the middle, and none.
    // CHECK-NEXT: %clip = onnx.Clip(%x, %lo) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
    %clip = onnx.Clip(%x, %lo) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %clip2 = onnx.Clip(%x, %none, %hi) : (tensor<2x3xf32>, none, tensor<f32>) -> tensor<2x3xf32>
    %clip2 = onnx.Clip(%x, %none, %hi) : (tensor<2x3xf32>, none, tensor<f32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %clip3 = onnx.Clip(%x, %lo, %hi) : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
    %clip3 = onnx.Clip(%x, %lo, %hi) : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
