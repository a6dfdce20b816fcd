// RUN: ramiel-opt --split-input-file -p onnx-expand-functions %s | filecheck %s

// An operator that ONNX defines by others becomes those, with their types, under its own node's
// name; the last keeps the name of its value. What has a lowering stays.
// CHECK: func.func @loss
// CHECK-NOT: onnx.NegativeLogLikelihoodLoss
// CHECK: onnx.GatherElements "loss"
// CHECK: %y = onnx.Relu "kept"(%loss) : (tensor<f32>) -> tensor<f32>
builtin.module attributes {onnx.opset = 22 : i64} {
  func.func @loss(%x: tensor<2x3xf32>, %t: tensor<2xi64>) -> tensor<*xf32> {
    %loss = onnx.NegativeLogLikelihoodLoss "loss"(%x, %t) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
    %y = onnx.Relu "kept"(%loss) : (tensor<*xf32>) -> tensor<*xf32>
    func.return %y : tensor<*xf32>
  }
}

// -----

// A definition that calls for another: there are no functions left. It reads an attribute that is
// not given, so its default.
// CHECK: func.func @functions_of_functions
// CHECK-NOT: Loss
// CHECK: onnx.LogSoftmax "loss"
// CHECK: func.return
builtin.module attributes {onnx.opset = 22 : i64} {
  func.func @functions_of_functions(%x: tensor<2x3xf32>, %t: tensor<2xi64>) -> tensor<f32> {
    %y = onnx.SoftmaxCrossEntropyLoss "loss"(%x, %t) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<f32>
    func.return %y : tensor<f32>
  }
}

// -----

// In bodies, too, and with bodies.
// CHECK: onnx.If "if"(%c) ({
// CHECK-NOT: CenterCropPad
// CHECK: onnx.Pad "crop"
// CHECK: onnx.Yield
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @bodies(%c: tensor<i1>, %x: tensor<4x5xf32>, %s: tensor<2xi64>) -> tensor<*xf32> {
    %y = onnx.If "if"(%c) ({
      %z = onnx.CenterCropPad "crop"(%x, %s) : (tensor<4x5xf32>, tensor<2xi64>) -> tensor<*xf32>
      onnx.Yield(%z) : (tensor<*xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<4x5xf32>) -> ()
    }) : (tensor<i1>) -> tensor<*xf32>
    func.return %y : tensor<*xf32>
  }
}

// -----

// Types that are not known: an operator whose definition depends on them stays.
// CHECK: onnx.CenterCropPad(%x, %s)
builtin.module attributes {onnx.opset = 18 : i64} {
  func.func @untyped(%x: tensor<*x!onnx.unknown>, %s: tensor<2xi64>) -> tensor<*x!onnx.unknown> {
    %z = onnx.CenterCropPad(%x, %s) : (tensor<*x!onnx.unknown>, tensor<2xi64>) -> tensor<*x!onnx.unknown>
    func.return %z : tensor<*x!onnx.unknown>
  }
}

// -----

// The definition of the operation's own opset, if it has one, and its operations are of that.
// CHECK: func.func @opset
// CHECK: onnx.Squeeze "loss"({{.*}}) {axes = array<i64: 1>, onnx.opset = 12 : i64}
builtin.module attributes {onnx.opset = 22 : i64} {
  func.func @opset(%x: tensor<2x3xf32>, %t: tensor<2xi64>) -> tensor<2xf32> {
    %y = onnx.NegativeLogLikelihoodLoss "loss"(%x, %t) {reduction = "none", onnx.opset = 12 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2xf32>
    func.return %y : tensor<2xf32>
  }
}
