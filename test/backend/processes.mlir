// Workers that are processes: the program's base class differs, and what its header says of workers.
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place{workers=2},cluster-channels{executor=processes},cluster-free-values' | filecheck %s --check-prefix IR
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place{workers=2},cluster-channels{executor=processes},cluster-free-values' -t pytorch | filecheck %s

builtin.module attributes {onnx.opset = 17 : i64, onnx.model = "two branches"} {
  func.func @main(%image: tensor<1x64x56x56xf32> {onnx.name = "image"}) -> tensor<1x64x56x56xf32> {
    %lw = onnx.Weight "left.w" : tensor<64x64x3x3xf32>
    %rw = onnx.Weight "right.w" : tensor<64x64x3x3xf32>
    %l = onnx.Conv "/left/conv/Conv"(%image, %lw) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %r = onnx.Conv "/right/conv/Conv"(%image, %rw) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %y = onnx.Mul "/Mul"(%l, %r) : (tensor<1x64x56x56xf32>, tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    func.return %y : tensor<1x64x56x56xf32>
  }
}

// IR: cluster.program @main_parallel attributes {{.*}}executor = "processes"

// CHECK:      The workers are processes that run at the same time and hand values over through the
// CHECK-NEXT: channels `ch`, in memory that they share
// CHECK:          ProcessProgram,
// CHECK:      class TwoBranches(ProcessProgram):
// CHECK:          def worker_0(self, ch: Channels) -> None:
// CHECK:          def worker_1(self, ch: Channels) -> None:
// CHECK:          @one_thread
// CHECK-NEXT:     def serial(self, image: Tensor) -> Tensor:
