// RUN: ramiel-opt --split-input-file -p onnx-constant-fold,onnx-dead-code %s | filecheck %s

// Arithmetic on constants, through several operations, with the names of the results.
// CHECK: func.func @arithmetic() -> tensor<2xf32> {
// CHECK-NEXT: %y = onnx.Constant() {value = dense<[5.000000e+00, 7.000000e+00]> : tensor<2xf32>} : () -> tensor<2xf32>
// CHECK-NEXT: func.return %y : tensor<2xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @arithmetic() -> tensor<2xf32> {
    %a = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %b = onnx.Constant() {value_float = 2.0 : f32} : () -> tensor<f32>
    %c = onnx.Constant() {value_floats = array<f32: 3.0, 3.0>} : () -> tensor<2xf32>
    %m = onnx.Mul(%a, %b) : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
    %y = onnx.Add(%m, %c) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    func.return %y : tensor<2xf32>
  }
}

// -----

// Shape arithmetic: what becomes known is known to all that follow, the function's type included.
// CHECK: func.func @shapes(%x: tensor<2x3x4xf32>) -> tensor<2x12xf32> {
// CHECK-NEXT: %n = onnx.Constant() {value = dense<[2, -1]> : tensor<2xi64>}
// CHECK-NEXT: %r = onnx.Reshape(%x, %n) : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<2x12xf32>
// CHECK-NEXT: %y = onnx.Relu(%r) : (tensor<2x12xf32>) -> tensor<2x12xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @shapes(%x: tensor<2x3x4xf32>) -> tensor<?x?xf32> {
    %s = onnx.Shape(%x) : (tensor<2x3x4xf32>) -> tensor<3xi64>
    %zero = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
    %rest = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
    %first = onnx.Gather(%s, %zero) {axis = 0 : i64} : (tensor<3xi64>, tensor<1xi64>) -> tensor<1xi64>
    %n = onnx.Concat(%first, %rest) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
    %r = onnx.Reshape(%x, %n) : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    %y = onnx.Relu(%r) : (tensor<?x?xf32>) -> tensor<?x?xf32>
    func.return %y : tensor<?x?xf32>
  }
}

// -----

// The size of a shape and a part of it; of a shape with an open dimension there is none.
// CHECK: func.func @parts
// CHECK-NEXT: %size = onnx.Constant() {value = dense<24> : tensor<i64>}
// CHECK-NEXT: %part = onnx.Constant() {value = dense<[3, 4]> : tensor<2xi64>}
// CHECK-NEXT: %open = onnx.Shape(%y)
// CHECK-NEXT: func.return
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @parts(%x: tensor<2x3x4xf32>, %y: tensor<?x2xf32>) -> (tensor<i64>, tensor<2xi64>, tensor<2xi64>) {
    %size = onnx.Size(%x) : (tensor<2x3x4xf32>) -> tensor<i64>
    %part = onnx.Shape(%x) {start = -2 : i64} : (tensor<2x3x4xf32>) -> tensor<2xi64>
    %open = onnx.Shape(%y) : (tensor<?x2xf32>) -> tensor<2xi64>
    func.return %size, %part, %open : tensor<i64>, tensor<2xi64>, tensor<2xi64>
  }
}

// -----

// A result of more than sixteen elements, and one that is infinite, are weights.
// CHECK: func.func @large
// CHECK-NEXT: %e = onnx.Weight "e" : tensor<5x4xf32>
// CHECK-NEXT: %i = onnx.Weight "i" : tensor<f32>
// CHECK-NEXT: func.return %e, %i
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @large() -> (tensor<5x4xf32>, tensor<f32>) {
    %one = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
    %zero = onnx.Constant() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
    %s = onnx.Constant() {value = dense<[5, 4]> : tensor<2xi64>} : () -> tensor<2xi64>
    %e = onnx.Expand(%one, %s) : (tensor<f32>, tensor<2xi64>) -> tensor<5x4xf32>
    %i = onnx.Div(%one, %zero) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    func.return %e, %i : tensor<5x4xf32>, tensor<f32>
  }
}

// -----

// What depends on an input stays, and so do random numbers and operators of other domains.
// CHECK: func.func @kept
// CHECK: %a = onnx.Add(%x, %one)
// CHECK: %r = onnx.RandomUniform()
// CHECK: %t = onnx.Custom(%one)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @kept(%x: tensor<f32>) -> (tensor<f32>, tensor<1xf32>, tensor<f32>) {
    %one = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
    %a = onnx.Add(%x, %one) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %r = onnx.RandomUniform() {shape = array<i64: 1>} : () -> tensor<1xf32>
    %t = onnx.Custom(%one) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<f32>) -> tensor<f32>
    func.return %a, %r, %t : tensor<f32>, tensor<1xf32>, tensor<f32>
  }
}

// -----

// A weight whose bytes nobody has stays as it is.
// CHECK: %w = onnx.Weight "w" : tensor<2xf32>
// CHECK-NEXT: %y = onnx.Neg(%w)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @nameless() -> tensor<2xf32> {
    %w = onnx.Weight "w" : tensor<2xf32>
    %y = onnx.Neg(%w) : (tensor<2xf32>) -> tensor<2xf32>
    func.return %y : tensor<2xf32>
  }
}

// -----

// An If whose condition is known, maybe only now, is the branch that it takes; and what is constant
// there is folded. Bodies that stay are folded inside.
// CHECK: func.func @branches
// CHECK: %y = onnx.Neg(%x) : (tensor<3xf32>) -> tensor<3xf32>
// CHECK-NEXT: %a = onnx.Constant() {value = dense<4.000000e+00> : tensor<f32>}
// CHECK-NEXT: %z = onnx.Mul(%y, %a) : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
// CHECK-NEXT: %kept = onnx.If(%c) ({
// CHECK-NEXT:   %b = onnx.Constant() {value = dense<8.000000e+00> : tensor<f32>}
// CHECK-NEXT:   onnx.Yield(%b)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branches(%c: tensor<i1>, %x: tensor<3xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<f32>) {
    %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
    %no = onnx.Constant() {value = dense<false> : tensor<i1>} : () -> tensor<i1>
    %y = onnx.If(%no) ({
      %n = onnx.Neg(%x) : (tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%n) : (tensor<3xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<3xf32>) -> ()
    }) : (tensor<i1>) -> tensor<?xf32>
    %s = onnx.Shape(%y) : (tensor<?xf32>) -> tensor<1xi64>
    %three = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
    %yes = onnx.Equal(%s, %three) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi1>
    %z = onnx.If(%yes) ({
      onnx.Yield(%y) : (tensor<?xf32>) -> ()
    }, {
      %a = onnx.Mul(%two, %two) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      %m = onnx.Mul(%y, %a) : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
      onnx.Yield(%m) : (tensor<?xf32>) -> ()
    }) : (tensor<1xi1>) -> tensor<?xf32>
    %kept = onnx.If(%c) ({
      %four = onnx.Mul(%two, %two) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      %b = onnx.Mul(%four, %two) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      onnx.Yield(%b) : (tensor<f32>) -> ()
    }, {
      onnx.Yield(%two) : (tensor<f32>) -> ()
    }) : (tensor<i1>) -> tensor<f32>
    func.return %y, %z, %kept : tensor<?xf32>, tensor<?xf32>, tensor<f32>
  }
}

// -----

// An operation of an opset of its own: a softmax of all dimensions from the axis on.
// CHECK: func.func @opset
// CHECK-NEXT: onnx.Constant() {value = dense<5.000000e-01> : tensor<1x2xf32>}
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @opset() -> tensor<1x2xf32> {
    %c = onnx.Constant() {value = dense<1.0> : tensor<1x2xf32>} : () -> tensor<1x2xf32>
    %y = onnx.Softmax(%c) {axis = 0 : i64, onnx.opset = 11 : i64} : (tensor<1x2xf32>) -> tensor<1x2xf32>
    func.return %y : tensor<1x2xf32>
  }
}

// -----

// An attribute that has a name but no bytes.
// CHECK: func.func @missing
// CHECK: onnx.ConstantOfShape
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @missing() -> tensor<2xf32> {
    %s = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
    %y = onnx.ConstantOfShape(%s) {value = #onnx.weight<"w" : tensor<1xf32>>} : (tensor<1xi64>) -> tensor<2xf32>
    func.return %y : tensor<2xf32>
  }
}
