// RUN: ramiel-opt -p onnx-infer-shapes %s | filecheck %s

// Where the value of an input decides the dimensions, its length still tells how many there are.

builtin.module attributes {onnx.opset = 21 : i64} {
  // CHECK: func.func @main
  func.func @main(%x: tensor<2x3x4xf32>, %one: tensor<1xi64>, %two: tensor<2xi64>, %n: tensor<i64>, %unranked: tensor<*xf32>) {
    // CHECK: onnx.Split{{.*}} -> (tensor<2x?x4xf32>, tensor<2x?x4xf32>)
    %a, %b = onnx.Split(%x, %two) {axis = 1 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> (tensor<*x!onnx.unknown>, tensor<*x!onnx.unknown>)
    // CHECK: onnx.Unsqueeze{{.*}} -> tensor<?x?x?x?x?xf32>
    %c = onnx.Unsqueeze(%x, %two) : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.Squeeze{{.*}} -> tensor<?x?xf32>
    %d = onnx.Squeeze(%x, %one) : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.ReduceSum{{.*}} -> tensor<?x?x?xf32>
    %e = onnx.ReduceSum(%x, %one) : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.ReduceMax{{.*}} -> tensor<?xf32>
    %f = onnx.ReduceMax(%x, %two) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.Reshape{{.*}} -> tensor<?x?xf32>
    %g = onnx.Reshape(%x, %two) : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.HannWindow{{.*}} -> tensor<?xf32>
    %h = onnx.HannWindow(%n) : (tensor<i64>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.Conv{{.*}} -> tensor<?x?x?xf32>
    %i = onnx.Conv(%unranked, %x) : (tensor<*xf32>, tensor<2x3x4xf32>) -> tensor<*x!onnx.unknown>
    func.return
  }
}
