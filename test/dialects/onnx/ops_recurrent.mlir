// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Recurrent layers: many optional inputs and results, STRINGS and FLOATS.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @recurrent(%x: tensor<5x2x3xf32>, %w: tensor<1x16x3xf32>, %r: tensor<1x16x4xf32>, %b: tensor<1x32xf32>, %lens: tensor<2xi32>, %h: tensor<1x2x4xf32>, %p: tensor<1x12xf32>, %gw: tensor<2x12x3xf32>, %gr: tensor<2x12x4xf32>, %rw: tensor<1x4x3xf32>, %rr: tensor<1x4x4xf32>) {
  func.func @recurrent(%x: tensor<5x2x3xf32>, %w: tensor<1x16x3xf32>, %r: tensor<1x16x4xf32>, %b: tensor<1x32xf32>, %lens: tensor<2xi32>, %h: tensor<1x2x4xf32>, %p: tensor<1x12xf32>, %gw: tensor<2x12x3xf32>, %gr: tensor<2x12x4xf32>, %rw: tensor<1x4x3xf32>, %rr: tensor<1x4x4xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %lstm.a, %lstm.b, %lstm.c = onnx.LSTM "lstm"(%x, %w, %r, %b, %lens, %h, %h, %p) {activations = ["Sigmoid", "Tanh", "Tanh"], clip = 3.000000e+00 : f32, hidden_size = 4 : i64, input_forget = 1 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, tensor<1x32xf32>, tensor<2xi32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x12xf32>) -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
    %lstm.a, %lstm.b, %lstm.c = onnx.LSTM "lstm"(%x, %w, %r, %b, %lens, %h, %h, %p) {activations = ["Sigmoid", "Tanh", "Tanh"], clip = 3.000000e+00 : f32, hidden_size = 4 : i64, input_forget = 1 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, tensor<1x32xf32>, tensor<2xi32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x12xf32>) -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
    // CHECK-NEXT: %lstm2 = onnx.LSTM(%x, %w, %r, %none, %none, %h, %h) {hidden_size = 4 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, none, none, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<5x1x2x4xf32>
    %lstm2 = onnx.LSTM(%x, %w, %r, %none, %none, %h, %h) {hidden_size = 4 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, none, none, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<5x1x2x4xf32>
    // A result that is not there, before one that is.
    // CHECK-NEXT: %lstm3.a, %lstm3.b = onnx.LSTM(%x, %w, %r) {hidden_size = 4 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>) -> (none, tensor<1x2x4xf32>)
    %lstm3.a, %lstm3.b = onnx.LSTM(%x, %w, %r) {hidden_size = 4 : i64} : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>) -> (none, tensor<1x2x4xf32>)
    // CHECK-NEXT: %gru.a, %gru.b = onnx.GRU(%x, %gw, %gr) {activation_alpha = array<f32: 5.000000e-01, -1.000000e+00, 2.000000e+00, 3.000000e+00>, activations = ["LeakyRelu", "Tanh", "Elu", "Tanh"], direction = "bidirectional", linear_before_reset = 1 : i64} : (tensor<5x2x3xf32>, tensor<2x12x3xf32>, tensor<2x12x4xf32>) -> (tensor<5x2x2x4xf32>, tensor<2x2x4xf32>)
    %gru.a, %gru.b = onnx.GRU(%x, %gw, %gr) {activation_alpha = array<f32: 5.000000e-01, -1.000000e+00, 2.000000e+00, 3.000000e+00>, activations = ["LeakyRelu", "Tanh", "Elu", "Tanh"], direction = "bidirectional", linear_before_reset = 1 : i64} : (tensor<5x2x3xf32>, tensor<2x12x3xf32>, tensor<2x12x4xf32>) -> (tensor<5x2x2x4xf32>, tensor<2x2x4xf32>)
    // CHECK-NEXT: %rnn = onnx.RNN(%x, %rw, %rr, %none, %lens) {activation_alpha = array<f32>, layout = 0 : i64} : (tensor<5x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>, none, tensor<2xi32>) -> tensor<5x1x2x4xf32>
    %rnn = onnx.RNN(%x, %rw, %rr, %none, %lens) {activation_alpha = array<f32>, layout = 0 : i64} : (tensor<5x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>, none, tensor<2xi32>) -> tensor<5x1x2x4xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
