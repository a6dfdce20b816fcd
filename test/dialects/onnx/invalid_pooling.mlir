// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of pooling and resampling.

// The window is required.
// CHECK: error: node "pool" (MaxPool, opset 17): attribute 'kernel_shape' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %max_pool = onnx.MaxPool "pool"(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
    func.return
  }
}

// -----

// Too many results.
// CHECK: error: node "average_pool.a" (AveragePool, opset 17): expected 1 output(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %average_pool.a, %average_pool.b = onnx.AveragePool(%x) {kernel_shape = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x7x7xf32>, tensor<1x4x7x7xi64>)
    func.return
  }
}

// -----

// The indices are integers of 64 bits.
// CHECK: error: node "max_pool.a" (MaxPool, opset 17): output 1 (Indices) may not be tensor(int32)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %max_pool.a, %max_pool.b = onnx.MaxPool(%x) {kernel_shape = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x7x7xf32>, tensor<1x4x7x7xi32>)
    func.return
  }
}

// -----

// Dilations came with opset 10.
// CHECK: error: node "max_pool" (MaxPool, opset 9): unknown attribute 'dilations'; MaxPool has: auto_pad, kernel_shape, pads, storage_order, strides
builtin.module attributes {onnx.opset = 9 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %max_pool = onnx.MaxPool(%x) {dilations = array<i64: 2, 2>, kernel_shape = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32>
    func.return
  }
}

// -----

// Scales are floats.
// CHECK: error: node "resize" (Resize, opset 17): input 2 (scales) may not be tensor(int64)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>, %s: tensor<4xi64>) {
    %none = onnx.NoValue() : () -> none
    %resize = onnx.Resize(%x, %none, %s) : (tensor<1x4x8x8xf32>, none, tensor<4xi64>) -> tensor<1x4x8x8xf32>
    func.return
  }
}

// -----

// GridSample came with opset 16.
// CHECK: error: node "grid_sample" (GridSample, opset 15): GridSample is not in opset 15: it came with opset 16
builtin.module attributes {onnx.opset = 15 : i64} {
  func.func @f(%x: tensor<1x4x8x8xf32>) {
    %grid_sample = onnx.GridSample(%x, %x) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    func.return
  }
}
