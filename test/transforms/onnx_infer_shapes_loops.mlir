// RUN: ramiel-opt --split-input-file -p onnx-infer-shapes %s | filecheck %s

// A state is what comes from outside and what an iteration yields; the parts are stacked.
// CHECK: %last, %all = onnx.Loop(%n, %none, %x) ({
// CHECK-NEXT: ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<3xf32>):
// CHECK-NEXT: %b = onnx.Neg(%a) : (tensor<3xf32>) -> tensor<3xf32>
// CHECK: }) : (tensor<i64>, none, tensor<3xf32>) -> (tensor<3xf32>, tensor<?xi64>)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @same(%n: tensor<i64>, %x: tensor<3xf32>) -> (tensor<*xf32>, tensor<*xi64>) {
    %none = onnx.NoValue() : () -> none
    %last, %all = onnx.Loop(%n, %none, %x) ({
    ^bb0(%i: tensor<*xi64>, %k: tensor<*xi1>, %a: tensor<*xf32>):
      %b = onnx.Neg(%a) : (tensor<*xf32>) -> tensor<*xf32>
      onnx.Yield(%k, %b, %i) : (tensor<*xi1>, tensor<*xf32>, tensor<*xi64>) -> ()
    }) : (tensor<i64>, none, tensor<3xf32>) -> (tensor<*xf32>, tensor<*xi64>)
    func.return %last, %all : tensor<*xf32>, tensor<*xi64>
  }
}

// -----

// A state that grows has another shape in each iteration.
// CHECK: ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<?x2xf32>):
// CHECK-NEXT: %b = onnx.Concat(%a, %x) {axis = 0 : i64} : (tensor<?x2xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
// CHECK: -> tensor<?x2xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @grows(%n: tensor<i64>, %x: tensor<3x2xf32>) -> tensor<*xf32> {
    %none = onnx.NoValue() : () -> none
    %last = onnx.Loop(%n, %none, %x) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<*xf32>):
      %b = onnx.Concat(%a, %x) {axis = 0 : i64} : (tensor<*xf32>, tensor<3x2xf32>) -> tensor<*xf32>
      onnx.Yield(%k, %b) : (tensor<i1>, tensor<*xf32>) -> ()
    }) : (tensor<i64>, none, tensor<3x2xf32>) -> tensor<*xf32>
    func.return %last : tensor<*xf32>
  }
}

// -----

// States that swap their places are of the type of both.
// CHECK: ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<?xf32>, %b: tensor<?xf32>):
// CHECK: -> (tensor<?xf32>, tensor<?xf32>)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @swap(%n: tensor<i64>, %x: tensor<3xf32>, %y: tensor<4xf32>) -> tensor<*xf32> {
    %none = onnx.NoValue() : () -> none
    %p, %q = onnx.Loop(%n, %none, %x, %y) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<*xf32>, %b: tensor<*xf32>):
      onnx.Yield(%k, %b, %a) : (tensor<i1>, tensor<*xf32>, tensor<*xf32>) -> ()
    }) : (tensor<i64>, none, tensor<3xf32>, tensor<4xf32>) -> (tensor<*xf32>, tensor<*xf32>)
    func.return %p : tensor<*xf32>
  }
}

// -----

// A Scan takes a dimension away, and gives one.
// CHECK: ^bb0(%a: tensor<2xf32>, %row: tensor<2xf32>):
// CHECK: }) {{.*}} : (tensor<2xf32>, tensor<2x5xf32>) -> (tensor<2xf32>, tensor<2x5xf32>)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @scan(%s: tensor<2xf32>, %xs: tensor<2x5xf32>) -> tensor<*xf32> {
    %sum, %all = onnx.Scan(%s, %xs) ({
    ^bb0(%a: tensor<*xf32>, %row: tensor<*xf32>):
      %next = onnx.Add(%a, %row) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
      onnx.Yield(%next, %row) : (tensor<*xf32>, tensor<*xf32>) -> ()
    }) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 1>, scan_output_axes = array<i64: -1>} : (tensor<2xf32>, tensor<2x5xf32>) -> (tensor<*xf32>, tensor<*xf32>)
    func.return %all : tensor<*xf32>
  }
}
