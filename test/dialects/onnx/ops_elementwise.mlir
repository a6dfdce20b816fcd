// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Elementwise operators: arithmetic and functions of one number.

// CHECK: builtin.module attributes {onnx.opset = 22 : i64} {
builtin.module attributes {onnx.opset = 22 : i64} {
  // CHECK: func.func @arithmetic(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %i: tensor<2x3xi64>, %h: tensor<2x3xf16>, %bf: tensor<2x3xbf16>, %u: tensor<2x3xui8>) {
  func.func @arithmetic(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %i: tensor<2x3xi64>, %h: tensor<2x3xf16>, %bf: tensor<2x3xbf16>, %u: tensor<2x3xui8>) {
    // CHECK-NEXT: %add = onnx.Add "/block1/Add"(%x, %y) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %add = onnx.Add "/block1/Add"(%x, %y) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %sub = onnx.Sub(%i, %i) : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x3xi64>
    %sub = onnx.Sub(%i, %i) : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x3xi64>
    // CHECK-NEXT: %mul = onnx.Mul(%h, %h) : (tensor<2x3xf16>, tensor<2x3xf16>) -> tensor<2x3xf16>
    %mul = onnx.Mul(%h, %h) : (tensor<2x3xf16>, tensor<2x3xf16>) -> tensor<2x3xf16>
    // CHECK-NEXT: %div = onnx.Div(%bf, %bf) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
    %div = onnx.Div(%bf, %bf) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
    // CHECK-NEXT: %pow = onnx.Pow(%x, %i) : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>
    %pow = onnx.Pow(%x, %i) : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>
    // CHECK-NEXT: %mod = onnx.Mod(%x, %x) {fmod = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %mod = onnx.Mod(%x, %x) {fmod = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %neg = onnx.Neg(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %neg = onnx.Neg(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %abs = onnx.Abs(%i) : (tensor<2x3xi64>) -> tensor<2x3xi64>
    %abs = onnx.Abs(%i) : (tensor<2x3xi64>) -> tensor<2x3xi64>
    // CHECK-NEXT: %sign = onnx.Sign(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %sign = onnx.Sign(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %reciprocal = onnx.Reciprocal(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %reciprocal = onnx.Reciprocal(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %sqrt = onnx.Sqrt(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %sqrt = onnx.Sqrt(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %exp = onnx.Exp(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %exp = onnx.Exp(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %log = onnx.Log(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %log = onnx.Log(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %ceil = onnx.Ceil(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %ceil = onnx.Ceil(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %floor = onnx.Floor(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %floor = onnx.Floor(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %round = onnx.Round(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %round = onnx.Round(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %erf = onnx.Erf(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %erf = onnx.Erf(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %max = onnx.Max(%x, %y, %x) : (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %max = onnx.Max(%x, %y, %x) : (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %min = onnx.Min(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %min = onnx.Min(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %sum = onnx.Sum(%x, %y) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %sum = onnx.Sum(%x, %y) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %mean = onnx.Mean(%x, %y, %x) : (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %mean = onnx.Mean(%x, %y, %x) : (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %bit_shift = onnx.BitShift(%u, %u) {direction = "LEFT"} : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
    %bit_shift = onnx.BitShift(%u, %u) {direction = "LEFT"} : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @trigonometric(%x: tensor<2x3xf32>) {
  func.func @trigonometric(%x: tensor<2x3xf32>) {
    // CHECK-NEXT: %sin = onnx.Sin(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %sin = onnx.Sin(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %cos = onnx.Cos(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %cos = onnx.Cos(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %tan = onnx.Tan(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %tan = onnx.Tan(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %asin = onnx.Asin(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %asin = onnx.Asin(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %acos = onnx.Acos(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %acos = onnx.Acos(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %atan = onnx.Atan(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %atan = onnx.Atan(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %sinh = onnx.Sinh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %sinh = onnx.Sinh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %cosh = onnx.Cosh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %cosh = onnx.Cosh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %tanh = onnx.Tanh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %tanh = onnx.Tanh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %asinh = onnx.Asinh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %asinh = onnx.Asinh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %acosh = onnx.Acosh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %acosh = onnx.Acosh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: %atanh = onnx.Atanh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %atanh = onnx.Atanh(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @unknown_types(%x: tensor<?x3xf32>, %y: tensor<*xf32>) {
  func.func @unknown_types(%x: tensor<?x3xf32>, %y: tensor<*xf32>) {
    // Dimensions and ranks that are not known.
    // CHECK-NEXT: %add = onnx.Add(%x, %x) : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %add = onnx.Add(%x, %x) : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    // CHECK-NEXT: %add2 = onnx.Add(%x, %y) : (tensor<?x3xf32>, tensor<*xf32>) -> tensor<*xf32>
    %add2 = onnx.Add(%x, %y) : (tensor<?x3xf32>, tensor<*xf32>) -> tensor<*xf32>
    // CHECK-NEXT: %neg = onnx.Neg(%y) : (tensor<*xf32>) -> tensor<*xf32>
    %neg = onnx.Neg(%y) : (tensor<*xf32>) -> tensor<*xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
