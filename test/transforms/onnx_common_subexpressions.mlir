// RUN: ramiel-opt --split-input-file -p onnx-common-subexpressions %s | filecheck %s

// Same operands, same attributes, same types: one is enough, whatever the node is called.
// CHECK: func.func @merged
// CHECK-NEXT: %a = onnx.Relu "a"(%x)
// CHECK-NEXT: %s = onnx.Add(%a, %a)
// CHECK-NEXT: func.return %s
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @merged(%x: tensor<4xf32>) -> tensor<4xf32> {
    %a = onnx.Relu "a"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %b = onnx.Relu "b"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %s = onnx.Add(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %t = onnx.Add(%b, %a) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    func.return %t : tensor<4xf32>
  }
}

// -----

// Constants and weights are merged by their values and names.
// CHECK: func.func @constants
// CHECK-NEXT: %c = onnx.Constant() {value = dense<1>
// CHECK-NEXT: %e = onnx.Constant() {value = dense<2>
// CHECK-NEXT: %v = onnx.Weight "v"
// CHECK-NEXT: func.return %c, %c, %e, %v, %v
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @constants() -> (tensor<i64>, tensor<i64>, tensor<i64>, tensor<9xf32>, tensor<9xf32>) {
    %c = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
    %d = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
    %e = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
    %v = onnx.Weight "v" : tensor<9xf32>
    %w = onnx.Weight "v" : tensor<9xf32>
    func.return %c, %d, %e, %v, %w : tensor<i64>, tensor<i64>, tensor<i64>, tensor<9xf32>, tensor<9xf32>
  }
}

// -----

// Another operand, another attribute, another order: nothing is merged. Neither are random
// numbers, nor operators of other domains, of which nobody knows what they do.
// CHECK: func.func @kept
// CHECK-NEXT: %a = onnx.Sub(%x, %y)
// CHECK-NEXT: %b = onnx.Sub(%y, %x)
// CHECK-NEXT: %c = onnx.Elu(%x) {alpha = 1.000000e+00 : f32}
// CHECK-NEXT: %d = onnx.Elu(%x) {alpha = 2.000000e+00 : f32}
// CHECK-NEXT: %e = onnx.Elu(%x) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: %r = onnx.RandomUniformLike(%x)
// CHECK-NEXT: %s = onnx.RandomUniformLike(%x)
// CHECK-NEXT: %t = onnx.Bernoulli(%x)
// CHECK-NEXT: %u = onnx.Bernoulli(%x)
// CHECK-NEXT: %p = onnx.Custom(%x)
// CHECK-NEXT: %q = onnx.Custom(%x)
// CHECK-NEXT: func.return
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @kept(%x: tensor<4xf32>, %y: tensor<4xf32>) {
    %a = onnx.Sub(%x, %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %b = onnx.Sub(%y, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %c = onnx.Elu(%x) {alpha = 1.0 : f32} : (tensor<4xf32>) -> tensor<4xf32>
    %d = onnx.Elu(%x) {alpha = 2.0 : f32} : (tensor<4xf32>) -> tensor<4xf32>
    %e = onnx.Elu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %r = onnx.RandomUniformLike(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %s = onnx.RandomUniformLike(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %t = onnx.Bernoulli(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %u = onnx.Bernoulli(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %p = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<4xf32>) -> tensor<4xf32>
    %q = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<4xf32>) -> tensor<4xf32>
    func.return
  }
}

// -----

// A branch sees what stands before it outside, not what stands in the other branch.
// CHECK: func.func @branches
// CHECK-NEXT: %a = onnx.Relu(%x)
// CHECK-NEXT: %y = onnx.If(%c) ({
// CHECK-NEXT: %n1 = onnx.Neg(%x)
// CHECK-NEXT: %s1 = onnx.Add(%n1, %a)
// CHECK: }, {
// CHECK-NEXT: %n2 = onnx.Neg(%x)
// CHECK-NEXT: onnx.Yield(%n2)
// CHECK: %n3 = onnx.Neg(%x)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branches(%c: tensor<i1>, %x: tensor<4xf32>) {
    %a = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %y = onnx.If(%c) ({
      %n1 = onnx.Neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
      %r1 = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
      %s1 = onnx.Add(%n1, %r1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      onnx.Yield(%s1) : (tensor<4xf32>) -> ()
    }, {
      %n2 = onnx.Neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
      onnx.Yield(%n2) : (tensor<4xf32>) -> ()
    }) : (tensor<i1>) -> tensor<4xf32>
    %n3 = onnx.Neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
    func.return
  }
}
