// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Operators that change shapes and make tensors.

// CHECK: builtin.module attributes {onnx.opset = 21 : i64} {
builtin.module attributes {onnx.opset = 21 : i64} {
  // CHECK: func.func @reshaping(%x: tensor<2x3x4xf32>, %dims: tensor<2xi64>, %axes: tensor<1xi64>, %one: tensor<2x1xf32>, %sizes: tensor<2xi64>, %pads: tensor<6xi64>, %value: tensor<f32>, %n: tensor<i64>, %step: tensor<1xi64>) {
  func.func @reshaping(%x: tensor<2x3x4xf32>, %dims: tensor<2xi64>, %axes: tensor<1xi64>, %one: tensor<2x1xf32>, %sizes: tensor<2xi64>, %pads: tensor<6xi64>, %value: tensor<f32>, %n: tensor<i64>, %step: tensor<1xi64>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %reshape = onnx.Reshape "/Reshape"(%x, %dims) {allowzero = 1 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    %reshape = onnx.Reshape "/Reshape"(%x, %dims) {allowzero = 1 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    // CHECK-NEXT: %flatten = onnx.Flatten(%x) {axis = 2 : i64} : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
    %flatten = onnx.Flatten(%x) {axis = 2 : i64} : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
    // CHECK-NEXT: %squeeze = onnx.Squeeze(%one, %axes) : (tensor<2x1xf32>, tensor<1xi64>) -> tensor<*xf32>
    %squeeze = onnx.Squeeze(%one, %axes) : (tensor<2x1xf32>, tensor<1xi64>) -> tensor<*xf32>
    // CHECK-NEXT: %squeeze2 = onnx.Squeeze(%one) : (tensor<2x1xf32>) -> tensor<2xf32>
    %squeeze2 = onnx.Squeeze(%one) : (tensor<2x1xf32>) -> tensor<2xf32>
    // CHECK-NEXT: %unsqueeze = onnx.Unsqueeze(%one, %axes) : (tensor<2x1xf32>, tensor<1xi64>) -> tensor<*xf32>
    %unsqueeze = onnx.Unsqueeze(%one, %axes) : (tensor<2x1xf32>, tensor<1xi64>) -> tensor<*xf32>
    // CHECK-NEXT: %transpose = onnx.Transpose(%x) {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
    %transpose = onnx.Transpose(%x) {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
    // CHECK-NEXT: %transpose2 = onnx.Transpose(%x) : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
    %transpose2 = onnx.Transpose(%x) : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
    // CHECK-NEXT: %expand = onnx.Expand(%one, %dims) : (tensor<2x1xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    %expand = onnx.Expand(%one, %dims) : (tensor<2x1xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    // CHECK-NEXT: %tile = onnx.Tile(%one, %dims) : (tensor<2x1xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    %tile = onnx.Tile(%one, %dims) : (tensor<2x1xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    // CHECK-NEXT: %concat = onnx.Concat(%x, %x, %x) {axis = -1 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x12xf32>
    %concat = onnx.Concat(%x, %x, %x) {axis = -1 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x12xf32>
    // CHECK-NEXT: %concat2 = onnx.Concat(%x) {axis = 0 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
    %concat2 = onnx.Concat(%x) {axis = 0 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
    // CHECK-NEXT: %split.a, %split.b, %split.c = onnx.Split(%x) {axis = 1 : i64, num_outputs = 3 : i64} : (tensor<2x3x4xf32>) -> (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>)
    %split.a, %split.b, %split.c = onnx.Split(%x) {axis = 1 : i64, num_outputs = 3 : i64} : (tensor<2x3x4xf32>) -> (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>)
    // CHECK-NEXT: %split2.a, %split2.b = onnx.Split(%x, %sizes) {axis = 2 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> (tensor<2x3x?xf32>, tensor<2x3x?xf32>)
    %split2.a, %split2.b = onnx.Split(%x, %sizes) {axis = 2 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> (tensor<2x3x?xf32>, tensor<2x3x?xf32>)
    // CHECK-NEXT: %slice = onnx.Slice(%x, %step, %step) : (tensor<2x3x4xf32>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
    %slice = onnx.Slice(%x, %step, %step) : (tensor<2x3x4xf32>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
    // CHECK-NEXT: %slice2 = onnx.Slice(%x, %step, %step, %none, %step) : (tensor<2x3x4xf32>, tensor<1xi64>, tensor<1xi64>, none, tensor<1xi64>) -> tensor<?x3x4xf32>
    %slice2 = onnx.Slice(%x, %step, %step, %none, %step) : (tensor<2x3x4xf32>, tensor<1xi64>, tensor<1xi64>, none, tensor<1xi64>) -> tensor<?x3x4xf32>
    // CHECK-NEXT: %pad = onnx.Pad(%x, %pads, %value) {mode = "constant"} : (tensor<2x3x4xf32>, tensor<6xi64>, tensor<f32>) -> tensor<?x?x?xf32>
    %pad = onnx.Pad(%x, %pads, %value) {mode = "constant"} : (tensor<2x3x4xf32>, tensor<6xi64>, tensor<f32>) -> tensor<?x?x?xf32>
    // CHECK-NEXT: %pad2 = onnx.Pad(%x, %pads, %none, %axes) {mode = "reflect"} : (tensor<2x3x4xf32>, tensor<6xi64>, none, tensor<1xi64>) -> tensor<*xf32>
    %pad2 = onnx.Pad(%x, %pads, %none, %axes) {mode = "reflect"} : (tensor<2x3x4xf32>, tensor<6xi64>, none, tensor<1xi64>) -> tensor<*xf32>
    // CHECK-NEXT: %center_crop_pad = onnx.CenterCropPad(%x, %dims) {axes = array<i64: 0, 1>} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<?x?x4xf32>
    %center_crop_pad = onnx.CenterCropPad(%x, %dims) {axes = array<i64: 0, 1>} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<?x?x4xf32>
    // CHECK-NEXT: %shape = onnx.Shape(%x) {end = -1 : i64, start = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<1xi64>
    %shape = onnx.Shape(%x) {end = -1 : i64, start = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<1xi64>
    // CHECK-NEXT: %size = onnx.Size(%x) : (tensor<2x3x4xf32>) -> tensor<i64>
    %size = onnx.Size(%x) : (tensor<2x3x4xf32>) -> tensor<i64>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @blocks(%x: tensor<1x8x2x2xf32>) {
  func.func @blocks(%x: tensor<1x8x2x2xf32>) {
    // CHECK-NEXT: %depth_to_space = onnx.DepthToSpace(%x) {blocksize = 2 : i64, mode = "CRD"} : (tensor<1x8x2x2xf32>) -> tensor<1x2x4x4xf32>
    %depth_to_space = onnx.DepthToSpace(%x) {blocksize = 2 : i64, mode = "CRD"} : (tensor<1x8x2x2xf32>) -> tensor<1x2x4x4xf32>
    // CHECK-NEXT: %space_to_depth = onnx.SpaceToDepth(%x) {blocksize = 2 : i64} : (tensor<1x8x2x2xf32>) -> tensor<1x32x1x1xf32>
    %space_to_depth = onnx.SpaceToDepth(%x) {blocksize = 2 : i64} : (tensor<1x8x2x2xf32>) -> tensor<1x32x1x1xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @making(%dims: tensor<2xi64>, %n: tensor<i64>, %x: tensor<3x3xf32>, %z: tensor<2xcomplex<f32>>) {
  func.func @making(%dims: tensor<2xi64>, %n: tensor<i64>, %x: tensor<3x3xf32>, %z: tensor<2xcomplex<f32>>) {
    // CHECK-NEXT: %constant_of_shape = onnx.ConstantOfShape(%dims) {value = dense<-1> : tensor<1xi64>} : (tensor<2xi64>) -> tensor<?x?xi64>
    %constant_of_shape = onnx.ConstantOfShape(%dims) {value = dense<-1> : tensor<1xi64>} : (tensor<2xi64>) -> tensor<?x?xi64>
    // CHECK-NEXT: %constant_of_shape2 = onnx.ConstantOfShape(%dims) : (tensor<2xi64>) -> tensor<?x?xf32>
    %constant_of_shape2 = onnx.ConstantOfShape(%dims) : (tensor<2xi64>) -> tensor<?x?xf32>
    // CHECK-NEXT: %range = onnx.Range(%n, %n, %n) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
    %range = onnx.Range(%n, %n, %n) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
    // CHECK-NEXT: %eye_like = onnx.EyeLike(%x) {dtype = 9 : i64, k = -1 : i64} : (tensor<3x3xf32>) -> tensor<3x3xi1>
    %eye_like = onnx.EyeLike(%x) {dtype = 9 : i64, k = -1 : i64} : (tensor<3x3xf32>) -> tensor<3x3xi1>
    // CHECK-NEXT: %trilu = onnx.Trilu(%x, %n) {upper = 0 : i64} : (tensor<3x3xf32>, tensor<i64>) -> tensor<3x3xf32>
    %trilu = onnx.Trilu(%x, %n) {upper = 0 : i64} : (tensor<3x3xf32>, tensor<i64>) -> tensor<3x3xf32>
    // CHECK-NEXT: %identity = onnx.Identity(%z) : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
    %identity = onnx.Identity(%z) : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
    // CHECK-NEXT: func.return
    func.return
  }
}
