// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Pooling and resampling: several results, optional results that are not there, empty lists.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @pooling(%x: tensor<1x4x8x8xf32>, %rois: tensor<2x5xf32>, %boxes: tensor<2x4xf32>, %batch: tensor<2xi64>) {
  func.func @pooling(%x: tensor<1x4x8x8xf32>, %rois: tensor<2x5xf32>, %boxes: tensor<2x4xf32>, %batch: tensor<2xi64>) {
    // CHECK-NEXT: %max_pool = onnx.MaxPool "pool"(%x) {ceil_mode = 0 : i64, kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
    %max_pool = onnx.MaxPool "pool"(%x) {ceil_mode = 0 : i64, kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
    // CHECK-NEXT: %max_pool2.a, %max_pool2.b = onnx.MaxPool(%x) {kernel_shape = array<i64: 2, 2>, storage_order = 1 : i64} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x7x7xf32>, tensor<1x4x7x7xi64>)
    %max_pool2.a, %max_pool2.b = onnx.MaxPool(%x) {kernel_shape = array<i64: 2, 2>, storage_order = 1 : i64} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x7x7xf32>, tensor<1x4x7x7xi64>)
    // CHECK-NEXT: %average_pool = onnx.AveragePool(%x) {auto_pad = "VALID", count_include_pad = 1 : i64, kernel_shape = array<i64: 3, 3>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32>
    %average_pool = onnx.AveragePool(%x) {auto_pad = "VALID", count_include_pad = 1 : i64, kernel_shape = array<i64: 3, 3>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32>
    // CHECK-NEXT: %lp_pool = onnx.LpPool(%x) {kernel_shape = array<i64: 2, 2>, p = 3 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
    %lp_pool = onnx.LpPool(%x) {kernel_shape = array<i64: 2, 2>, p = 3 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
    // CHECK-NEXT: %global_average_pool = onnx.GlobalAveragePool(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    %global_average_pool = onnx.GlobalAveragePool(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    // CHECK-NEXT: %global_max_pool = onnx.GlobalMaxPool(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    %global_max_pool = onnx.GlobalMaxPool(%x) : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    // CHECK-NEXT: %global_lp_pool = onnx.GlobalLpPool(%x) {p = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    %global_lp_pool = onnx.GlobalLpPool(%x) {p = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
    // CHECK-NEXT: %max_roi_pool = onnx.MaxRoiPool(%x, %rois) {pooled_shape = array<i64: 2, 2>, spatial_scale = 5.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<2x5xf32>) -> tensor<2x4x2x2xf32>
    %max_roi_pool = onnx.MaxRoiPool(%x, %rois) {pooled_shape = array<i64: 2, 2>, spatial_scale = 5.000000e-01 : f32} : (tensor<1x4x8x8xf32>, tensor<2x5xf32>) -> tensor<2x4x2x2xf32>
    // CHECK-NEXT: %roi_align = onnx.RoiAlign(%x, %boxes, %batch) {mode = "max", output_height = 2 : i64, output_width = 2 : i64, sampling_ratio = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<2x4xf32>, tensor<2xi64>) -> tensor<2x4x2x2xf32>
    %roi_align = onnx.RoiAlign(%x, %boxes, %batch) {mode = "max", output_height = 2 : i64, output_width = 2 : i64, sampling_ratio = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<2x4xf32>, tensor<2xi64>) -> tensor<2x4x2x2xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @unpooling(%x: tensor<1x1x2x2xf32>, %i: tensor<1x1x2x2xi64>, %size: tensor<4xi64>) {
  func.func @unpooling(%x: tensor<1x1x2x2xf32>, %i: tensor<1x1x2x2xi64>, %size: tensor<4xi64>) {
    // CHECK-NEXT: %max_unpool = onnx.MaxUnpool(%x, %i, %size) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>, tensor<4xi64>) -> tensor<1x1x?x?xf32>
    %max_unpool = onnx.MaxUnpool(%x, %i, %size) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>, tensor<4xi64>) -> tensor<1x1x?x?xf32>
    // CHECK-NEXT: %max_unpool2 = onnx.MaxUnpool(%x, %i) {kernel_shape = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>) -> tensor<1x1x3x3xf32>
    %max_unpool2 = onnx.MaxUnpool(%x, %i) {kernel_shape = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>) -> tensor<1x1x3x3xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @resampling(%x: tensor<1x4x8x8xf32>, %scales: tensor<4xf32>, %sizes: tensor<2xi64>, %roi: tensor<8xf32>, %grid: tensor<1x6x6x2xf32>, %theta: tensor<1x2x3xf32>, %shape: tensor<4xi64>) {
  func.func @resampling(%x: tensor<1x4x8x8xf32>, %scales: tensor<4xf32>, %sizes: tensor<2xi64>, %roi: tensor<8xf32>, %grid: tensor<1x6x6x2xf32>, %theta: tensor<1x2x3xf32>, %shape: tensor<4xi64>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %resize = onnx.Resize(%x, %none, %scales) {mode = "nearest", nearest_mode = "floor"} : (tensor<1x4x8x8xf32>, none, tensor<4xf32>) -> tensor<1x4x16x16xf32>
    %resize = onnx.Resize(%x, %none, %scales) {mode = "nearest", nearest_mode = "floor"} : (tensor<1x4x8x8xf32>, none, tensor<4xf32>) -> tensor<1x4x16x16xf32>
    // CHECK-NEXT: %resize2 = onnx.Resize(%x, %none, %none, %sizes) {antialias = 1 : i64, axes = array<i64: 2, 3>, cubic_coeff_a = -7.500000e-01 : f32, keep_aspect_ratio_policy = "not_larger", mode = "cubic"} : (tensor<1x4x8x8xf32>, none, none, tensor<2xi64>) -> tensor<1x4x?x?xf32>
    %resize2 = onnx.Resize(%x, %none, %none, %sizes) {antialias = 1 : i64, axes = array<i64: 2, 3>, cubic_coeff_a = -7.500000e-01 : f32, keep_aspect_ratio_policy = "not_larger", mode = "cubic"} : (tensor<1x4x8x8xf32>, none, none, tensor<2xi64>) -> tensor<1x4x?x?xf32>
    // CHECK-NEXT: %resize3 = onnx.Resize(%x, %roi, %scales) {coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 1.000000e+00 : f32, mode = "linear"} : (tensor<1x4x8x8xf32>, tensor<8xf32>, tensor<4xf32>) -> tensor<1x4x?x?xf32>
    %resize3 = onnx.Resize(%x, %roi, %scales) {coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 1.000000e+00 : f32, mode = "linear"} : (tensor<1x4x8x8xf32>, tensor<8xf32>, tensor<4xf32>) -> tensor<1x4x?x?xf32>
    // CHECK-NEXT: %grid_sample = onnx.GridSample(%x, %grid) {align_corners = 1 : i64, mode = "cubic", padding_mode = "border"} : (tensor<1x4x8x8xf32>, tensor<1x6x6x2xf32>) -> tensor<1x4x6x6xf32>
    %grid_sample = onnx.GridSample(%x, %grid) {align_corners = 1 : i64, mode = "cubic", padding_mode = "border"} : (tensor<1x4x8x8xf32>, tensor<1x6x6x2xf32>) -> tensor<1x4x6x6xf32>
    // CHECK-NEXT: %affine_grid = onnx.AffineGrid(%theta, %shape) {align_corners = 0 : i64} : (tensor<1x2x3xf32>, tensor<4xi64>) -> tensor<1x?x?x2xf32>
    %affine_grid = onnx.AffineGrid(%theta, %shape) {align_corners = 0 : i64} : (tensor<1x2x3xf32>, tensor<4xi64>) -> tensor<1x?x?x2xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
