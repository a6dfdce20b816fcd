// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of recurrent layers.

// Too few operands.
// CHECK: error: node "lstm" (LSTM, opset 17): expected 3 to 8 input(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<5x2x3xf32>) {
    %lstm = onnx.LSTM "lstm"(%x, %x) : (tensor<5x2x3xf32>, tensor<5x2x3xf32>) -> tensor<5x1x2x4xf32>
    func.return
  }
}

// -----

// Lengths are integers of 32 bits.
// CHECK: error: node "gru" (GRU, opset 17): input 4 (sequence_lens) may not be tensor(int64)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<5x2x3xf32>, %n: tensor<2xi64>) {
    %none = onnx.NoValue() : () -> none
    %gru = onnx.GRU(%x, %x, %x, %none, %n) : (tensor<5x2x3xf32>, tensor<5x2x3xf32>, tensor<5x2x3xf32>, none, tensor<2xi64>) -> tensor<5x1x2x4xf32>
    func.return
  }
}

// -----

// Too many results.
// CHECK: error: node "gru.a" (GRU, opset 17): expected 0 to 2 output(s), got 3
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<5x2x3xf32>) {
    %gru.a, %gru.b, %gru.c = onnx.GRU(%x, %x, %x) : (tensor<5x2x3xf32>, tensor<5x2x3xf32>, tensor<5x2x3xf32>) -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
    func.return
  }
}

// -----

// One string for a list.
// CHECK: error: node "rnn" (RNN, opset 17): attribute 'activations' must be STRINGS, is STRING
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<5x2x3xf32>) {
    %rnn = onnx.RNN(%x, %x, %x) {activations = "Tanh"} : (tensor<5x2x3xf32>, tensor<5x2x3xf32>, tensor<5x2x3xf32>) -> tensor<5x1x2x4xf32>
    func.return
  }
}

// -----

// layout came with opset 14.
// CHECK: error: node "rnn" (RNN, opset 13): unknown attribute 'layout'; RNN has: activation_alpha, activation_beta, activations, clip, direction, hidden_size
builtin.module attributes {onnx.opset = 13 : i64} {
  func.func @f(%x: tensor<5x2x3xf32>) {
    %rnn = onnx.RNN(%x, %x, %x) {layout = 1 : i64} : (tensor<5x2x3xf32>, tensor<5x2x3xf32>, tensor<5x2x3xf32>) -> tensor<5x1x2x4xf32>
    func.return
  }
}
