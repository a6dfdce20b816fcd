// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of reductions.

// The axes of ReduceSum are an input since opset 13, ...
// CHECK: error: node "reduce_sum" (ReduceSum, opset 13): unknown attribute 'axes'; ReduceSum has: keepdims, noop_with_empty_axes
builtin.module attributes {onnx.opset = 13 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %reduce_sum = onnx.ReduceSum(%x) {axes = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2x1xf32>
    func.return
  }
}

// -----

// ... those of ReduceMean since opset 18.
// CHECK: error: node "reduce_mean" (ReduceMean, opset 17): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %axes: tensor<1xi64>) {
    %reduce_mean = onnx.ReduceMean(%x, %axes) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x1xf32>
    func.return
  }
}

// -----

// The axes are integers of 64 bits.
// CHECK: error: node "reduce_mean" (ReduceMean, opset 18): input 1 (axes) may not be tensor(int32)
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %axes: tensor<1xi32>) {
    %reduce_mean = onnx.ReduceMean(%x, %axes) : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<2x1xf32>
    func.return
  }
}

// -----

// ArgMax gives integers.
// CHECK: error: node "arg_max" (ArgMax, opset 17): output 0 (reduced) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>) {
    %arg_max = onnx.ArgMax(%x) : (tensor<2x3xf32>) -> tensor<1x3xf32>
    func.return
  }
}

// -----

// TopK has two results.
// CHECK: error: node "top_k" (TopK, opset 17): expected 2 output(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %k: tensor<1xi64>) {
    %top_k = onnx.TopK(%x, %k) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x1xf32>
    func.return
  }
}

// -----

// CumSum came with opset 11.
// CHECK: error: node "cum_sum" (CumSum, opset 10): CumSum is not in opset 10: it came with opset 11
builtin.module attributes {onnx.opset = 10 : i64} {
  func.func @f(%x: tensor<2x3xf32>, %k: tensor<i64>) {
    %cum_sum = onnx.CumSum(%x, %k) : (tensor<2x3xf32>, tensor<i64>) -> tensor<2x3xf32>
    func.return
  }
}
