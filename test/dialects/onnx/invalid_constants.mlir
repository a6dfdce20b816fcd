// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of constants, weights and operators of other domains.

// Two values.
// CHECK: 
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value_int = 1 : i64, value_float = 1.000000e+00 : f32} : () -> tensor<i64>
    func.return
  }
}

// -----

// No value.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant "c"() : () -> tensor<i64>
    func.return
  }
}

// -----

// A value of another kind.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value = 1 : i64} : () -> tensor<i64>
    func.return
  }
}

// -----

// value_int came with opset 12.
// CHECK: ???
builtin.module attributes {onnx.opset = 11 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value_int = 1 : i64} : () -> tensor<i64>
    func.return
  }
}

// -----

// A value that is not the type's.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %constant = onnx.Constant() {value = dense<1> : tensor<2xi64>} : () -> tensor<3xf32>
    func.return
  }
}

// -----

// A custom operator without a domain, ...
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom "c"(%x) {onnx.op_type = "Gelu"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... without a name, ...
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom(%x) {onnx.domain = "com.microsoft"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... and with a number for a name.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %custom = onnx.Custom(%x) {onnx.domain = "com.microsoft", onnx.op_type = 1 : i64} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A weight without a name.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f() {
    %w = "onnx.Weight"() : () -> tensor<2xf32>
    func.return
  }
}

// -----

// A weight with an operand.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %w = "onnx.Weight"(%x) <{value = #onnx.weight<"w">}> : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A NoValue that is one.
// CHECK: ???
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %w = onnx.NoValue() : () -> tensor<2xf32>
    func.return
  }
}
