// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Gathering, scattering and searching.

// CHECK: builtin.module attributes {onnx.opset = 20 : i64} {
builtin.module attributes {onnx.opset = 20 : i64} {
  // CHECK: func.func @gathering(%x: tensor<2x3x4xf32>, %i: tensor<5xi64>, %w: tensor<2x3x4xi32>, %nd: tensor<5x2xi64>, %c: tensor<2xi1>, %lens: tensor<3xi64>) {
  func.func @gathering(%x: tensor<2x3x4xf32>, %i: tensor<5xi64>, %w: tensor<2x3x4xi32>, %nd: tensor<5x2xi64>, %c: tensor<2xi1>, %lens: tensor<3xi64>) {
    // CHECK-NEXT: %gather = onnx.Gather "emb"(%x, %i) {axis = 1 : i64} : (tensor<2x3x4xf32>, tensor<5xi64>) -> tensor<2x5x4xf32>
    %gather = onnx.Gather "emb"(%x, %i) {axis = 1 : i64} : (tensor<2x3x4xf32>, tensor<5xi64>) -> tensor<2x5x4xf32>
    // CHECK-NEXT: %gather_elements = onnx.GatherElements(%x, %w) {axis = -1 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xi32>) -> tensor<2x3x4xf32>
    %gather_elements = onnx.GatherElements(%x, %w) {axis = -1 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xi32>) -> tensor<2x3x4xf32>
    // CHECK-NEXT: %gather_nd = onnx.GatherND(%x, %nd) {batch_dims = 0 : i64} : (tensor<2x3x4xf32>, tensor<5x2xi64>) -> tensor<5x4xf32>
    %gather_nd = onnx.GatherND(%x, %nd) {batch_dims = 0 : i64} : (tensor<2x3x4xf32>, tensor<5x2xi64>) -> tensor<5x4xf32>
    // CHECK-NEXT: %compress = onnx.Compress(%x, %c) {axis = 0 : i64} : (tensor<2x3x4xf32>, tensor<2xi1>) -> tensor<?x3x4xf32>
    %compress = onnx.Compress(%x, %c) {axis = 0 : i64} : (tensor<2x3x4xf32>, tensor<2xi1>) -> tensor<?x3x4xf32>
    // CHECK-NEXT: %reverse_sequence = onnx.ReverseSequence(%x, %lens) {batch_axis = 1 : i64, time_axis = 0 : i64} : (tensor<2x3x4xf32>, tensor<3xi64>) -> tensor<2x3x4xf32>
    %reverse_sequence = onnx.ReverseSequence(%x, %lens) {batch_axis = 1 : i64, time_axis = 0 : i64} : (tensor<2x3x4xf32>, tensor<3xi64>) -> tensor<2x3x4xf32>
    // CHECK-NEXT: %non_zero = onnx.NonZero(%x) : (tensor<2x3x4xf32>) -> tensor<3x?xi64>
    %non_zero = onnx.NonZero(%x) : (tensor<2x3x4xf32>) -> tensor<3x?xi64>
    // CHECK-NEXT: %unique.a, %unique.b, %unique.c, %unique.d = onnx.Unique(%i) {axis = 0 : i64, sorted = 0 : i64} : (tensor<5xi64>) -> (tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
    %unique.a, %unique.b, %unique.c, %unique.d = onnx.Unique(%i) {axis = 0 : i64, sorted = 0 : i64} : (tensor<5xi64>) -> (tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
    // CHECK-NEXT: %unique2 = onnx.Unique(%i) : (tensor<5xi64>) -> tensor<?xi64>
    %unique2 = onnx.Unique(%i) : (tensor<5xi64>) -> tensor<?xi64>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @scattering(%x: tensor<4x5xf32>, %i: tensor<2x3xi64>, %u: tensor<2x3xf32>, %nd: tensor<2x1xi64>, %rows: tensor<2x5xf32>, %depth: tensor<i64>, %pair: tensor<2xi32>) {
  func.func @scattering(%x: tensor<4x5xf32>, %i: tensor<2x3xi64>, %u: tensor<2x3xf32>, %nd: tensor<2x1xi64>, %rows: tensor<2x5xf32>, %depth: tensor<i64>, %pair: tensor<2xi32>) {
    // CHECK-NEXT: %scatter_elements = onnx.ScatterElements(%x, %i, %u) {axis = 0 : i64, reduction = "add"} : (tensor<4x5xf32>, tensor<2x3xi64>, tensor<2x3xf32>) -> tensor<4x5xf32>
    %scatter_elements = onnx.ScatterElements(%x, %i, %u) {axis = 0 : i64, reduction = "add"} : (tensor<4x5xf32>, tensor<2x3xi64>, tensor<2x3xf32>) -> tensor<4x5xf32>
    // CHECK-NEXT: %scatter_nd = onnx.ScatterND(%x, %nd, %rows) {reduction = "max"} : (tensor<4x5xf32>, tensor<2x1xi64>, tensor<2x5xf32>) -> tensor<4x5xf32>
    %scatter_nd = onnx.ScatterND(%x, %nd, %rows) {reduction = "max"} : (tensor<4x5xf32>, tensor<2x1xi64>, tensor<2x5xf32>) -> tensor<4x5xf32>
    // CHECK-NEXT: %one_hot = onnx.OneHot(%i, %depth, %pair) {axis = 1 : i64} : (tensor<2x3xi64>, tensor<i64>, tensor<2xi32>) -> tensor<2x?x3xi32>
    %one_hot = onnx.OneHot(%i, %depth, %pair) {axis = 1 : i64} : (tensor<2x3xi64>, tensor<i64>, tensor<2xi32>) -> tensor<2x?x3xi32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @detection(%boxes: tensor<1x6x4xf32>, %scores: tensor<1x1x6xf32>, %most: tensor<1xi64>, %iou: tensor<1xf32>, %score: tensor<1xf32>) {
  func.func @detection(%boxes: tensor<1x6x4xf32>, %scores: tensor<1x1x6xf32>, %most: tensor<1xi64>, %iou: tensor<1xf32>, %score: tensor<1xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %non_max_suppression = onnx.NonMaxSuppression(%boxes, %scores) : (tensor<1x6x4xf32>, tensor<1x1x6xf32>) -> tensor<?x3xi64>
    %non_max_suppression = onnx.NonMaxSuppression(%boxes, %scores) : (tensor<1x6x4xf32>, tensor<1x1x6xf32>) -> tensor<?x3xi64>
    // CHECK-NEXT: %non_max_suppression2 = onnx.NonMaxSuppression(%boxes, %scores, %most, %iou, %score) {center_point_box = 1 : i64} : (tensor<1x6x4xf32>, tensor<1x1x6xf32>, tensor<1xi64>, tensor<1xf32>, tensor<1xf32>) -> tensor<?x3xi64>
    %non_max_suppression2 = onnx.NonMaxSuppression(%boxes, %scores, %most, %iou, %score) {center_point_box = 1 : i64} : (tensor<1x6x4xf32>, tensor<1x1x6xf32>, tensor<1xi64>, tensor<1xf32>, tensor<1xf32>) -> tensor<?x3xi64>
    // CHECK-NEXT: %non_max_suppression3 = onnx.NonMaxSuppression(%boxes, %scores, %none, %none, %score) : (tensor<1x6x4xf32>, tensor<1x1x6xf32>, none, none, tensor<1xf32>) -> tensor<?x3xi64>
    %non_max_suppression3 = onnx.NonMaxSuppression(%boxes, %scores, %none, %none, %score) : (tensor<1x6x4xf32>, tensor<1x1x6xf32>, none, none, tensor<1xf32>) -> tensor<?x3xi64>
    // CHECK-NEXT: func.return
    func.return
  }
}
