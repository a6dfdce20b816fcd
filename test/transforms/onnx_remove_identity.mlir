// RUN: ramiel-opt --split-input-file -p onnx-remove-identity %s | filecheck %s

// Identity goes, and with it a Dropout outside of training; what was known of their results stays.
// CHECK: func.func @removed(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
// CHECK-NEXT: %r = onnx.Relu(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: func.return %r : tensor<2x4xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @removed(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %i = onnx.Identity(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %r = onnx.Relu(%i) : (tensor<2x4xf32>) -> tensor<?x4xf32>
    %d, %m = onnx.Dropout(%r) : (tensor<?x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xi1>)
    func.return %d : tensor<2x4xf32>
  }
}

// -----

// A constant false is no training; a ratio does not matter then.
// CHECK: func.func @no_training
// CHECK-NOT: onnx.Dropout
// CHECK: func.return %x
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @no_training(%x: tensor<2xf32>, %ratio: tensor<f32>) -> tensor<2xf32> {
    %no = onnx.Constant() {value = dense<false> : tensor<i1>} : () -> tensor<i1>
    %d = onnx.Dropout(%x, %ratio, %no) : (tensor<2xf32>, tensor<f32>, tensor<i1>) -> tensor<2xf32>
    func.return %d : tensor<2xf32>
  }
}

// -----

// A mask in use, training, and training that only the input knows: all stay.
// CHECK: func.func @kept
// CHECK: %d, %m = onnx.Dropout(%x)
// CHECK: %t = onnx.Dropout(%x, %ratio, %yes)
// CHECK: %u = onnx.Dropout(%x, %ratio, %maybe)
// CHECK: func.return %m, %t, %u
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @kept(%x: tensor<2xf32>, %ratio: tensor<f32>, %maybe: tensor<i1>) -> (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) {
    %yes = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
    %d, %m = onnx.Dropout(%x) : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xi1>)
    %t = onnx.Dropout(%x, %ratio, %yes) : (tensor<2xf32>, tensor<f32>, tensor<i1>) -> tensor<2xf32>
    %u = onnx.Dropout(%x, %ratio, %maybe) : (tensor<2xf32>, tensor<f32>, tensor<i1>) -> tensor<2xf32>
    func.return %m, %t, %u : tensor<2xi1>, tensor<2xf32>, tensor<2xf32>
  }
}

// -----

// An Identity in a branch: the captured value takes its place.
// CHECK: onnx.Yield(%x)
// CHECK-NOT: onnx.Identity
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branch(%c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.If(%c) ({
      %i = onnx.Identity(%x) : (tensor<2xf32>) -> tensor<2xf32>
      onnx.Yield(%i) : (tensor<2xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }) : (tensor<i1>) -> tensor<2xf32>
    func.return
  }
}
