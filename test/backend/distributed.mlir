// Workers of two ranks: each operation has a rank by its worker, and the channels that cross are messages of a known type.
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels,torch-assign-names,cluster-costs{ranks=2 latency=1 rate=12500 overhead=0 copying=6250},cluster-linear,cluster-merge,cluster-place{workers=2},cluster-channels{executor=distributed},cluster-free-values' | filecheck %s --check-prefix IR
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels,torch-assign-names,cluster-costs{ranks=2 latency=1 rate=12500 overhead=0 copying=6250},cluster-linear,cluster-merge,cluster-place{workers=2},cluster-channels{executor=distributed},cluster-free-values' -t pytorch | filecheck %s
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels,torch-assign-names,cluster-costs{ranks=2 latency=1 rate=12500 overhead=0 copying=6250},cluster-linear,cluster-merge,cluster-place{workers=1},cluster-channels{executor=distributed},cluster-free-values' -t pytorch | filecheck %s --check-prefix IDLE

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

// IR: func.func @main({{.*}}cluster.ranks = array<i64: 0, 1>, cluster.link = array<f64: 1.000000e+00, 1.250000e+04, 0.000000e+00, 6.250000e+03>
// IR: cluster.program @main_parallel attributes {{.*}}executor = "distributed"
// IR: cluster.worker 0 rank 0 {
// IR: cluster.worker 1 rank 1 {

// CHECK:      Schedule  linear, merged: 2 clusters{{.*}}on 2 workers of 2 ranks
// CHECK-NOT:  Idle
// CHECK:      The workers are threads of processes, the ranks
// CHECK:          torchrun --nnodes 1 --nproc-per-node 2 FILE.py
// CHECK:          DistributedProgram,
// CHECK:          Remote,
// CHECK:      class TwoBranches(DistributedProgram):
// CHECK:          ranks = (0, 1)
// CHECK-NEXT:     remote = (
// CHECK-NEXT:         Remote("image", torch.float32, (1, 64, 56, 56), 0, (1,)),
// CHECK-NEXT:         Remote("{{.*}}conv", torch.float32, (1, 64, 56, 56), 1, (0,)),
// CHECK-NEXT:     )
// CHECK:          def worker_1(self, ch: Channels) -> None:

// A rank that the schedule has no worker for.
// IDLE:       on 1 worker of 1 rank
// IDLE:       Idle      1 of 2 ranks: the program is of 1
// IDLE:           torchrun --nnodes 1 --nproc-per-node 1 FILE.py
