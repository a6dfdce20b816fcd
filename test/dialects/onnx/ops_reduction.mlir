// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Reductions: axes as an input (opset 18), arguments of extremes, cumulation.

// CHECK: builtin.module attributes {onnx.opset = 18 : i64} {
builtin.module attributes {onnx.opset = 18 : i64} {
  // CHECK: func.func @reductions(%x: tensor<2x3x4xf32>, %axes: tensor<1xi64>, %axis: tensor<i64>, %i: tensor<2x3x4xi64>) {
  func.func @reductions(%x: tensor<2x3x4xf32>, %axes: tensor<1xi64>, %axis: tensor<i64>, %i: tensor<2x3x4xi64>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %reduce_sum = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_sum = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_mean = onnx.ReduceMean(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_mean = onnx.ReduceMean(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_prod = onnx.ReduceProd(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_prod = onnx.ReduceProd(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_max = onnx.ReduceMax(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_max = onnx.ReduceMax(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_min = onnx.ReduceMin(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_min = onnx.ReduceMin(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_l1 = onnx.ReduceL1(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_l1 = onnx.ReduceL1(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_l2 = onnx.ReduceL2(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_l2 = onnx.ReduceL2(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_log_sum = onnx.ReduceLogSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_log_sum = onnx.ReduceLogSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_log_sum_exp = onnx.ReduceLogSumExp(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_log_sum_exp = onnx.ReduceLogSumExp(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_sum_square = onnx.ReduceSumSquare(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    %reduce_sum_square = onnx.ReduceSumSquare(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reduce_sum2 = onnx.ReduceSum(%i) : (tensor<2x3x4xi64>) -> tensor<1x1x1xi64>
    %reduce_sum2 = onnx.ReduceSum(%i) : (tensor<2x3x4xi64>) -> tensor<1x1x1xi64>
    // CHECK-NEXT: %reduce_mean2 = onnx.ReduceMean(%x, %none) {noop_with_empty_axes = 1 : i64} : (tensor<2x3x4xf32>, none) -> tensor<2x3x4xf32>
    %reduce_mean2 = onnx.ReduceMean(%x, %none) {noop_with_empty_axes = 1 : i64} : (tensor<2x3x4xf32>, none) -> tensor<2x3x4xf32>
    // CHECK-NEXT: %arg_max = onnx.ArgMax(%x) {axis = 1 : i64, keepdims = 0 : i64, select_last_index = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x4xi64>
    %arg_max = onnx.ArgMax(%x) {axis = 1 : i64, keepdims = 0 : i64, select_last_index = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x4xi64>
    // CHECK-NEXT: %arg_min = onnx.ArgMin(%i) {axis = -1 : i64} : (tensor<2x3x4xi64>) -> tensor<2x3x1xi64>
    %arg_min = onnx.ArgMin(%i) {axis = -1 : i64} : (tensor<2x3x4xi64>) -> tensor<2x3x1xi64>
    // CHECK-NEXT: %cum_sum = onnx.CumSum(%x, %axis) {exclusive = 1 : i64, reverse = 1 : i64} : (tensor<2x3x4xf32>, tensor<i64>) -> tensor<2x3x4xf32>
    %cum_sum = onnx.CumSum(%x, %axis) {exclusive = 1 : i64, reverse = 1 : i64} : (tensor<2x3x4xf32>, tensor<i64>) -> tensor<2x3x4xf32>
    // CHECK-NEXT: %top_k.a, %top_k.b = onnx.TopK(%x, %axes) {axis = 0 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> (tensor<?x3x4xf32>, tensor<?x3x4xi64>)
    %top_k.a, %top_k.b = onnx.TopK(%x, %axes) {axis = 0 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> (tensor<?x3x4xf32>, tensor<?x3x4xi64>)
    // CHECK-NEXT: func.return
    func.return
  }
}
