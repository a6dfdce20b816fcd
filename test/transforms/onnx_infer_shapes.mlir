// RUN: ramiel-opt --split-input-file -p onnx-infer-shapes %s | filecheck %s

// Types follow through a chain, and so does the function's own type.
// CHECK: func.func @chain(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
// CHECK-NEXT: %a = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %b = onnx.Transpose(%a) : (tensor<2x3xf32>) -> tensor<3x2xf32>
// CHECK-NEXT: func.return %b : tensor<3x2xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @chain(%x: tensor<2x3xf32>) -> tensor<*xf32> {
    %a = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<*x!onnx.unknown>
    %b = onnx.Transpose(%a) : (tensor<*x!onnx.unknown>) -> tensor<*xf32>
    func.return %b : tensor<*xf32>
  }
}

// -----

// A constant shape is looked at; a dimension that is not known stays open.
// CHECK: %r = onnx.Reshape(%x, %s) : (tensor<?x3xf32>, tensor<2xi64>) -> tensor<3x?xf32>
// CHECK-NEXT: %n = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<?x3xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @shapes(%x: tensor<?x3xf32>) {
    %s = onnx.Constant() {value = dense<[3, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
    %r = onnx.Reshape(%x, %s) : (tensor<?x3xf32>, tensor<2xi64>) -> tensor<*xf32>
    %n = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<*xf32>
    func.return
  }
}

// -----

// What is declared fills in what is not inferred, and gives way where it says something else.
// CHECK: %a = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %b = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<?x3xf32>
// CHECK-NEXT: %c = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<?x3xf32>) -> tensor<7xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @declared(%x: tensor<?x3xf32>) {
    %a = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<2x9xf32>
    %b = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<2x3x4xf32>
    %c = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<?x3xf32>) -> tensor<7xf32>
    func.return
  }
}

// -----

// The branches of an If are inferred, and what they have in common is the result's type.
// CHECK: %y = onnx.If(%c) ({
// CHECK-NEXT: %t = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK: %e = onnx.Concat(%x, %x) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
// CHECK: }) : (tensor<i1>) -> tensor<?x3xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branches(%c: tensor<i1>, %x: tensor<2x3xf32>) {
    %y = onnx.If(%c) ({
      %t = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<*xf32>
      onnx.Yield(%t) : (tensor<*xf32>) -> ()
    }, {
      %e = onnx.Concat(%x, %x) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32>
      onnx.Yield(%e) : (tensor<*xf32>) -> ()
    }) : (tensor<i1>) -> tensor<*xf32>
    func.return
  }
}

// -----

// ONNX Runtime's own operators have rules, too, so that inference goes on behind them.
// CHECK: %c = onnx.Custom(%x, %w) {{{.*}}} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
// CHECK-NEXT: %g = onnx.Custom(%c) {{{.*}}} : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
// CHECK-NEXT: %m = onnx.Custom(%a, %b) {{{.*}}} : (tensor<?x2x3xf32>, tensor<5x3xf32>) -> tensor<?x2x5xf32>
// CHECK-NEXT: %y = onnx.Transpose(%m) {perm = array<i64: 2, 1, 0>} : (tensor<?x2x5xf32>) -> tensor<5x2x?xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @contrib(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %a: tensor<?x2x3xf32>, %b: tensor<5x3xf32>) {
    %c = onnx.Custom(%x, %w) {onnx.domain = "com.microsoft", onnx.op_type = "FusedConv", activation = "Relu"} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<*x!onnx.unknown>
    %g = onnx.Custom(%c) {onnx.domain = "com.microsoft", onnx.op_type = "Gelu"} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    %m = onnx.Custom(%a, %b) {onnx.domain = "com.microsoft", onnx.op_type = "FusedMatMul", transB = 1 : i64} : (tensor<?x2x3xf32>, tensor<5x3xf32>) -> tensor<*x!onnx.unknown>
    %y = onnx.Transpose(%m) {perm = array<i64: 2, 1, 0>} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    func.return
  }
}
