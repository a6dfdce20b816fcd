// Plain xdsl-opt finds our dialects, passes and target through the entry point.
// RUN: xdsl-opt %s -p onnx-dead-code | filecheck %s
// RUN: xdsl-opt %s -p onnx-to-torch,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place,cluster-channels -t pytorch | filecheck %s --check-prefix PY

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %1 = onnx.Neg(%x) : (tensor<2xf32>) -> tensor<2xf32>
  func.return %0 : tensor<2xf32>
}

// CHECK:     onnx.Relu
// CHECK-NOT: onnx.Neg
// PY:        class Model(Program):
