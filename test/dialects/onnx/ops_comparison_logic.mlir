// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Comparisons, logic, bits and conversions: results of other types than the operands.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @comparisons(%x: tensor<2x3xf32>, %y: tensor<1xf32>, %s: tensor<2x!onnx.string>, %i: tensor<2x3xi64>) {
  func.func @comparisons(%x: tensor<2x3xf32>, %y: tensor<1xf32>, %s: tensor<2x!onnx.string>, %i: tensor<2x3xi64>) {
    // CHECK-NEXT: %equal = onnx.Equal(%i, %i) : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x3xi1>
    %equal = onnx.Equal(%i, %i) : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x3xi1>
    // CHECK-NEXT: %equal2 = onnx.Equal(%s, %s) : (tensor<2x!onnx.string>, tensor<2x!onnx.string>) -> tensor<2xi1>
    %equal2 = onnx.Equal(%s, %s) : (tensor<2x!onnx.string>, tensor<2x!onnx.string>) -> tensor<2xi1>
    // CHECK-NEXT: %greater = onnx.Greater(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    %greater = onnx.Greater(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %greater_or_equal = onnx.GreaterOrEqual(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    %greater_or_equal = onnx.GreaterOrEqual(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %less = onnx.Less(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    %less = onnx.Less(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %less_or_equal = onnx.LessOrEqual(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    %less_or_equal = onnx.LessOrEqual(%x, %y) : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %is_na_n = onnx.IsNaN(%x) : (tensor<2x3xf32>) -> tensor<2x3xi1>
    %is_na_n = onnx.IsNaN(%x) : (tensor<2x3xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: %is_inf = onnx.IsInf(%x) {detect_negative = 0 : i64, detect_positive = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xi1>
    %is_inf = onnx.IsInf(%x) {detect_negative = 0 : i64, detect_positive = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xi1>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @logic(%a: tensor<2xi1>, %b: tensor<2xi1>, %u: tensor<2xui8>, %k: tensor<2xi32>, %x: tensor<2xf32>) {
  func.func @logic(%a: tensor<2xi1>, %b: tensor<2xi1>, %u: tensor<2xui8>, %k: tensor<2xi32>, %x: tensor<2xf32>) {
    // CHECK-NEXT: %and = onnx.And(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    %and = onnx.And(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    // CHECK-NEXT: %or = onnx.Or(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    %or = onnx.Or(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    // CHECK-NEXT: %xor = onnx.Xor(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    %xor = onnx.Xor(%a, %b) : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
    // CHECK-NEXT: %not = onnx.Not(%a) : (tensor<2xi1>) -> tensor<2xi1>
    %not = onnx.Not(%a) : (tensor<2xi1>) -> tensor<2xi1>
    // CHECK-NEXT: %where = onnx.Where(%a, %x, %x) : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %where = onnx.Where(%a, %x, %x) : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    // CHECK-NEXT: %bitwise_and = onnx.BitwiseAnd(%u, %u) : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
    %bitwise_and = onnx.BitwiseAnd(%u, %u) : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
    // CHECK-NEXT: %bitwise_or = onnx.BitwiseOr(%k, %k) : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    %bitwise_or = onnx.BitwiseOr(%k, %k) : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    // CHECK-NEXT: %bitwise_xor = onnx.BitwiseXor(%k, %k) : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    %bitwise_xor = onnx.BitwiseXor(%k, %k) : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    // CHECK-NEXT: %bitwise_not = onnx.BitwiseNot(%u) : (tensor<2xui8>) -> tensor<2xui8>
    %bitwise_not = onnx.BitwiseNot(%u) : (tensor<2xui8>) -> tensor<2xui8>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @conversions(%x: tensor<2xf32>, %e: tensor<2xf8E4M3FN>, %n: tensor<2xi4>, %m: tensor<2xui4>) {
  func.func @conversions(%x: tensor<2xf32>, %e: tensor<2xf8E4M3FN>, %n: tensor<2xi4>, %m: tensor<2xui4>) {
    // Cast takes ONNX's number of the type: every element type of the IR parses and prints.
    // CHECK-NEXT: %cast = onnx.Cast(%x) {to = 10 : i64} : (tensor<2xf32>) -> tensor<2xf16>
    %cast = onnx.Cast(%x) {to = 10 : i64} : (tensor<2xf32>) -> tensor<2xf16>
    // CHECK-NEXT: %cast2 = onnx.Cast(%x) {to = 11 : i64} : (tensor<2xf32>) -> tensor<2xf64>
    %cast2 = onnx.Cast(%x) {to = 11 : i64} : (tensor<2xf32>) -> tensor<2xf64>
    // CHECK-NEXT: %cast3 = onnx.Cast(%x) {to = 16 : i64} : (tensor<2xf32>) -> tensor<2xbf16>
    %cast3 = onnx.Cast(%x) {to = 16 : i64} : (tensor<2xf32>) -> tensor<2xbf16>
    // CHECK-NEXT: %cast4 = onnx.Cast(%x) {to = 5 : i64} : (tensor<2xf32>) -> tensor<2xi16>
    %cast4 = onnx.Cast(%x) {to = 5 : i64} : (tensor<2xf32>) -> tensor<2xi16>
    // CHECK-NEXT: %cast5 = onnx.Cast(%x) {to = 4 : i64} : (tensor<2xf32>) -> tensor<2xui16>
    %cast5 = onnx.Cast(%x) {to = 4 : i64} : (tensor<2xf32>) -> tensor<2xui16>
    // CHECK-NEXT: %cast6 = onnx.Cast(%x) {to = 12 : i64} : (tensor<2xf32>) -> tensor<2xui32>
    %cast6 = onnx.Cast(%x) {to = 12 : i64} : (tensor<2xf32>) -> tensor<2xui32>
    // CHECK-NEXT: %cast7 = onnx.Cast(%x) {to = 13 : i64} : (tensor<2xf32>) -> tensor<2xui64>
    %cast7 = onnx.Cast(%x) {to = 13 : i64} : (tensor<2xf32>) -> tensor<2xui64>
    // CHECK-NEXT: %cast8 = onnx.Cast(%x) {to = 8 : i64} : (tensor<2xf32>) -> tensor<2x!onnx.string>
    %cast8 = onnx.Cast(%x) {to = 8 : i64} : (tensor<2xf32>) -> tensor<2x!onnx.string>
    // CHECK-NEXT: %cast9 = onnx.Cast(%x) {saturate = 0 : i64, to = 17 : i64} : (tensor<2xf32>) -> tensor<2xf8E4M3FN>
    %cast9 = onnx.Cast(%x) {saturate = 0 : i64, to = 17 : i64} : (tensor<2xf32>) -> tensor<2xf8E4M3FN>
    // CHECK-NEXT: %cast10 = onnx.Cast(%e) {to = 18 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E4M3FNUZ>
    %cast10 = onnx.Cast(%e) {to = 18 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E4M3FNUZ>
    // CHECK-NEXT: %cast11 = onnx.Cast(%e) {to = 19 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E5M2>
    %cast11 = onnx.Cast(%e) {to = 19 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E5M2>
    // CHECK-NEXT: %cast12 = onnx.Cast(%e) {to = 20 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E5M2FNUZ>
    %cast12 = onnx.Cast(%e) {to = 20 : i64} : (tensor<2xf8E4M3FN>) -> tensor<2xf8E5M2FNUZ>
    // CHECK-NEXT: %cast13 = onnx.Cast(%n) {to = 21 : i64} : (tensor<2xi4>) -> tensor<2xui4>
    %cast13 = onnx.Cast(%n) {to = 21 : i64} : (tensor<2xi4>) -> tensor<2xui4>
    // CHECK-NEXT: %cast14 = onnx.Cast(%m) {to = 22 : i64} : (tensor<2xui4>) -> tensor<2xi4>
    %cast14 = onnx.Cast(%m) {to = 22 : i64} : (tensor<2xui4>) -> tensor<2xi4>
    // CHECK-NEXT: %cast_like = onnx.CastLike(%x, %n) : (tensor<2xf32>, tensor<2xi4>) -> tensor<2xi4>
    %cast_like = onnx.CastLike(%x, %n) : (tensor<2xf32>, tensor<2xi4>) -> tensor<2xi4>
    // CHECK-NEXT: func.return
    func.return
  }
}
