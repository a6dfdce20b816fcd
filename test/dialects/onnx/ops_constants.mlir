// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Constants of every kind, weights by name, and operators of other domains.

// CHECK: builtin.module attributes {onnx.model = "text", onnx.opset = 21 : i64} {
builtin.module attributes {onnx.model = "text", onnx.opset = 21 : i64} {
  // CHECK: func.func @constants() {
  func.func @constants() {
    // CHECK-NEXT: %scalar = onnx.Constant "c"() {value = dense<2.500000e+00> : tensor<f32>} : () -> tensor<f32>
    %scalar = onnx.Constant "c"() {value = dense<2.500000e+00> : tensor<f32>} : () -> tensor<f32>
    // CHECK-NEXT{LITERAL}: %matrix = onnx.Constant() {value = dense<[[1, -2], [3, 4]]> : tensor<2x2xi64>} : () -> tensor<2x2xi64>
    %matrix = onnx.Constant() {value = dense<[[1, -2], [3, 4]]> : tensor<2x2xi64>} : () -> tensor<2x2xi64>
    // CHECK-NEXT: %bools = onnx.Constant() {value = dense<[true, false]> : tensor<2xi1>} : () -> tensor<2xi1>
    %bools = onnx.Constant() {value = dense<[true, false]> : tensor<2xi1>} : () -> tensor<2xi1>
    // CHECK-NEXT: %bytes = onnx.Constant() {value = dense<[0, 255]> : tensor<2xui8>} : () -> tensor<2xui8>
    %bytes = onnx.Constant() {value = dense<[0, 255]> : tensor<2xui8>} : () -> tensor<2xui8>
    // CHECK-NEXT: %doubles = onnx.Constant() {value = dense<[1.000000e-01, 1.000000e+300]> : tensor<2xf64>} : () -> tensor<2xf64>
    %doubles = onnx.Constant() {value = dense<[1.000000e-01, 1.000000e+300]> : tensor<2xf64>} : () -> tensor<2xf64>
    // CHECK-NEXT: %by_name = onnx.Constant() {value = #onnx.weight<"a tensor with spaces, \22quotes\22 and \C3\BCmlauts">} : () -> tensor<1000xf32>
    %by_name = onnx.Constant() {value = #onnx.weight<"a tensor with spaces, \22quotes\22 and \C3\BCmlauts">} : () -> tensor<1000xf32>
    // CHECK-NEXT: %int = onnx.Constant() {value_int = -3 : i64} : () -> tensor<i64>
    %int = onnx.Constant() {value_int = -3 : i64} : () -> tensor<i64>
    // CHECK-NEXT: %ints = onnx.Constant() {value_ints = array<i64: 1, 2, 3>} : () -> tensor<3xi64>
    %ints = onnx.Constant() {value_ints = array<i64: 1, 2, 3>} : () -> tensor<3xi64>
    // CHECK-NEXT: %no_ints = onnx.Constant() {value_ints = array<i64>} : () -> tensor<0xi64>
    %no_ints = onnx.Constant() {value_ints = array<i64>} : () -> tensor<0xi64>
    // CHECK-NEXT: %float = onnx.Constant() {value_float = 1.000000e-07 : f32} : () -> tensor<f32>
    %float = onnx.Constant() {value_float = 1.000000e-07 : f32} : () -> tensor<f32>
    // CHECK-NEXT: %floats = onnx.Constant() {value_floats = array<f32: 1.000000e+00, 2.500000e-01>} : () -> tensor<2xf32>
    %floats = onnx.Constant() {value_floats = array<f32: 1.000000e+00, 2.500000e-01>} : () -> tensor<2xf32>
    // CHECK-NEXT: %inf = onnx.Constant() {value_float = 0xff800000 : f32} : () -> tensor<f32>
    %inf = onnx.Constant() {value_float = 0xff800000 : f32} : () -> tensor<f32>
    // CHECK-NEXT: %string = onnx.Constant() {value_string = "line\0Abreak, tab\09, nul\00"} : () -> tensor<!onnx.string>
    %string = onnx.Constant() {value_string = "line\0Abreak, tab\09, nul\00"} : () -> tensor<!onnx.string>
    // CHECK-NEXT: %strings = onnx.Constant() {value_strings = ["a", ""]} : () -> tensor<2x!onnx.string>
    %strings = onnx.Constant() {value_strings = ["a", ""]} : () -> tensor<2x!onnx.string>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @weights() {
  func.func @weights() {
    // CHECK-NEXT: %w = onnx.Weight "conv1.weight" : tensor<64x3x7x7xf32>
    %w = onnx.Weight "conv1.weight" : tensor<64x3x7x7xf32>
    // CHECK-NEXT: %path = onnx.Weight "/layer.0/a b\\c" : tensor<bf16>
    %path = onnx.Weight "/layer.0/a b\\c" : tensor<bf16>
    // CHECK-NEXT: %kept = onnx.Weight "kept" : tensor<2xi4>
    %kept = onnx.Weight "kept" : tensor<2xi4>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @custom(%x: tensor<2x3xf32>) {
  func.func @custom(%x: tensor<2x3xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // Attributes of any kind, a result of an unknown type, a region.
    // CHECK-NEXT: %gelu = onnx.Custom "gelu"(%x, %none) {alpha = 1.000000e+00 : f32, mode = "fast", axes = array<i64: 0, 1>, table = dense<1> : tensor<i64>, onnx.domain = "com.microsoft", onnx.op_type = "BiasGelu"} : (tensor<2x3xf32>, none) -> tensor<*x!onnx.unknown>
    %gelu = onnx.Custom "gelu"(%x, %none) {alpha = 1.000000e+00 : f32, mode = "fast", axes = array<i64: 0, 1>, table = dense<1> : tensor<i64>, onnx.domain = "com.microsoft", onnx.op_type = "BiasGelu"} : (tensor<2x3xf32>, none) -> tensor<*x!onnx.unknown>
    // CHECK-NEXT: %many.a, %many.b = onnx.Custom(%gelu) ({
    %many.a, %many.b = onnx.Custom(%gelu) ({
      // CHECK-NEXT: onnx.Yield(%x) : (tensor<2x3xf32>) -> ()
      onnx.Yield(%x) : (tensor<2x3xf32>) -> ()
    // CHECK-NEXT: }) {onnx.domain = "my.domain", onnx.op_type = "Many"} : (tensor<*x!onnx.unknown>) -> (tensor<2x3xf32>, !onnx.map<i64, tensor<f32>>)
    }) {onnx.domain = "my.domain", onnx.op_type = "Many"} : (tensor<*x!onnx.unknown>) -> (tensor<2x3xf32>, !onnx.map<i64, tensor<f32>>)
    // What comes out of a custom operator may go into any other.
    // CHECK-NEXT: %relu = onnx.Relu(%gelu) : (tensor<*x!onnx.unknown>) -> tensor<2x3xf32>
    %relu = onnx.Relu(%gelu) : (tensor<*x!onnx.unknown>) -> tensor<2x3xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
