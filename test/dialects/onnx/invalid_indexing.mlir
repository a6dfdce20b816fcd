// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of gathering and scattering.

// Indices are integers.
// CHECK: error: node "gather" (Gather, opset 17): input 1 (indices) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %gather = onnx.Gather(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3x3xf32>
    func.return
  }
}

// -----

// Updates of another type.
// CHECK: error: node "scatter_elements" (ScatterElements, opset 17): input 2 (updates) is tensor(double), but T is tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf64>) {
    %scatter_elements = onnx.ScatterElements(%x, %i, %u) : (tensor<4xf32>, tensor<2xi64>, tensor<2xf64>) -> tensor<4xf32>
    func.return
  }
}

// -----

// reduction came with opset 16.
// CHECK: error: node "scatter_elements" (ScatterElements, opset 15): unknown attribute 'reduction'; ScatterElements has: axis
builtin.module attributes {onnx.opset = 15 : i64} {
  func.func @f(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
    %scatter_elements = onnx.ScatterElements(%x, %i, %u) {reduction = "add"} : (tensor<4xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4xf32>
    func.return
  }
}

// -----

// ScatterElements came with opset 11.
// CHECK: error: node "scatter_elements" (ScatterElements, opset 10): ScatterElements is not in opset 10: it came with opset 11
builtin.module attributes {onnx.opset = 10 : i64} {
  func.func @f(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
    %scatter_elements = onnx.ScatterElements(%x, %i, %u) : (tensor<4xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4xf32>
    func.return
  }
}

// -----

// The condition is boolean.
// CHECK: error: node "compress" (Compress, opset 17): input 1 (condition) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %compress = onnx.Compress(%x, %x) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<?xf32>
    func.return
  }
}
