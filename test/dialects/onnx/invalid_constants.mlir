// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of constants, weights and operators of other domains.

// Two values.
// CHECK: error: node "constant" (Constant, opset 17): expected one value, got 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value_int = 1 : i64, value_float = 1.000000e+00 : f32} : () -> tensor<i64>
    func.return
  }
}

// -----

// No value.
// CHECK: error: node "c" (Constant, opset 17): expected one value, got 0
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant "c"() : () -> tensor<i64>
    func.return
  }
}

// -----

// A value of another kind.
// CHECK: error: node "constant" (Constant, opset 17): attribute 'value' must be TENSOR, is INT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value = 1 : i64} : () -> tensor<i64>
    func.return
  }
}

// -----

// A type that no constant has.
// CHECK: error: node "constant" (Constant, opset 17): output 0 (output) may not be seq(tensor(float))
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value_float = 1.000000e+00 : f32} : () -> !onnx.seq<tensor<f32>>
    func.return
  }
}

// -----

// A yield with a result.
// CHECK: error: node "yield" (Yield, opset 17): expected no result
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %yield = onnx.Yield(%x) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A custom operator without a domain, ...
// CHECK: error: node "c" (?::Gelu, opset 17): a custom operation must have onnx.domain
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom "c"(%x) {onnx.op_type = "Gelu"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... without a name, ...
// CHECK: error: node "custom" (com.microsoft::?, opset 17): a custom operation must have onnx.op_type
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom(%x) {onnx.domain = "com.microsoft"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... and with a number for a name.
// CHECK: error: node "custom" (com.microsoft::?, opset 17): a custom operation must have onnx.op_type
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom(%x) {onnx.domain = "com.microsoft", onnx.op_type = 1 : i64} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A weight without a name.
// CHECK: error: node "w" (Weight, opset 17): a weight needs a name
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f() {
    %w = "onnx.Weight"() : () -> tensor<2xf32>
    func.return
  }
}

// -----

// A weight with an operand.
// CHECK: error: node "w" (Weight, opset 17): expected no operand and one result
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %w = "onnx.Weight"(%x) <{value = #onnx.weight<"w">}> : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A NoValue that is one.
// CHECK: error: node "w" (NoValue, opset 17): expected no operand and one result of type none
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %w = onnx.NoValue() : () -> tensor<2xf32>
    func.return
  }
}
