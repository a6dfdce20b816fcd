// RUN: ramiel-opt --split-input-file --pass-pipeline='onnx-clone-tasks{budget=1 most-cost=10000}' %s | filecheck %s

// Random numbers are drawn once. What has no lowering has no cost and stays, too.
// CHECK: func.func @random
// CHECK-NOT: onnx.clone
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @random(%x: tensor<64x4096xf32>) -> (tensor<64x4096xf32>, tensor<64x4096xf32>) {
    %r = onnx.RandomUniformLike(%x) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %p = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %a = onnx.Add(%r, %p) : (tensor<64x4096xf32>, tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %b = onnx.Sub(%r, %p) : (tensor<64x4096xf32>, tensor<64x4096xf32>) -> tensor<64x4096xf32>
    func.return %a, %b : tensor<64x4096xf32>, tensor<64x4096xf32>
  }
}

// -----

// An operation that holds a subgraph stays; what it captures is read from the clone. Another
// clone that is there already keeps its number.
// CHECK:      func.func @captured
// CHECK-NEXT: %s = onnx.Sigmoid(%x) {onnx.clone = 4 : i64}
// CHECK-NEXT: %s.clone.5 = onnx.Sigmoid(%x) {onnx.clone = 5 : i64}
// CHECK-NEXT: %e = onnx.Exp(%s)
// CHECK-NEXT: %f = onnx.Exp(%e)
// CHECK-NEXT: %g = onnx.Exp(%f)
// CHECK-NEXT: %y = onnx.If(%c) ({
// CHECK-NEXT: %n = onnx.Neg(%s.clone.5)
// CHECK-NOT:  onnx.clone =
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @captured(%c: tensor<i1>, %x: tensor<64x4096xf32>) -> (tensor<64x4096xf32>, tensor<64x4096xf32>) {
    %s = onnx.Sigmoid(%x) {onnx.clone = 4 : i64} : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %e = onnx.Exp(%s) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %f = onnx.Exp(%e) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %g = onnx.Exp(%f) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %y = onnx.If(%c) ({
      %n = onnx.Neg(%s) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
      onnx.Yield(%n) : (tensor<64x4096xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<64x4096xf32>) -> ()
    }) : (tensor<i1>) -> tensor<64x4096xf32>
    %a = onnx.Tanh(%y) : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    func.return %g, %a : tensor<64x4096xf32>, tensor<64x4096xf32>
  }
}
