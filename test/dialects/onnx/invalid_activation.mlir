// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of activation functions and their attributes.

// An operator without attributes.
// CHECK: error: node "relu" (Relu, opset 17): unknown attribute 'alpha'; Relu has: none
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %relu = onnx.Relu(%x) {alpha = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// An attribute of another name.
// CHECK: error: node "leaky_relu" (LeakyRelu, opset 17): unknown attribute 'slope'; LeakyRelu has: alpha
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %leaky_relu = onnx.LeakyRelu(%x) {slope = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// An integer for a float.
// CHECK: error: node "leaky_relu" (LeakyRelu, opset 17): attribute 'alpha' must be FLOAT, is INT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %leaky_relu = onnx.LeakyRelu(%x) {alpha = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// A float for an integer.
// CHECK: error: node "softmax" (Softmax, opset 17): attribute 'axis' must be INT, is FLOAT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %softmax = onnx.Softmax(%x) {axis = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// A list for a number.
// CHECK: error: node "softmax" (Softmax, opset 17): attribute 'axis' must be INT, is INTS
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %softmax = onnx.Softmax(%x) {axis = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// A number for a string.
// CHECK: error: node "gelu" (Gelu, opset 20): attribute 'approximate' must be STRING, is INT
builtin.module attributes {onnx.opset = 20 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gelu = onnx.Gelu(%x) {approximate = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The operator came with opset 12.
// CHECK: error: node "celu" (Celu, opset 11): Celu is not in opset 11: it came with opset 12
builtin.module attributes {onnx.opset = 11 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %celu = onnx.Celu(%x) {beta = 1.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// What was an attribute is an input since opset 11.
// CHECK: error: node "clip" (Clip, opset 11): unknown attribute 'min'; Clip has: none
builtin.module attributes {onnx.opset = 11 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %clip = onnx.Clip(%x) {min = 0.000000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// What is an input later is an attribute still.
// CHECK: error: node "clip" (Clip, opset 6): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 6 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %clip = onnx.Clip(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    func.return
  }
}

// -----

// The first operand is not optional.
// CHECK: error: node "clip" (Clip, opset 17): input 0 (input) is not optional
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<f32>) {
    %none = onnx.NoValue() : () -> none
    %clip = onnx.Clip(%none, %x) : (none, tensor<f32>) -> tensor<f32>
    func.return
  }
}
