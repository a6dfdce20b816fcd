// The whole program of two branches on two streams, as text. PyTorch's own kernels stay, values that
// cross streams are not freed, and what one stream needs alone is.
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels{device="cuda"},torch-assign-names,cluster-costs{device="cuda:h100"},cluster-linear,cluster-merge,cluster-streams{schedule=linear},cluster-channels,cluster-free-values{enough=100000}' | filecheck %s --check-prefix IR
// RUN: ramiel-opt %s -p 'onnx-to-torch,torch-choose-kernels{device="cuda"},torch-assign-names,cluster-costs{device="cuda:h100"},cluster-linear,cluster-merge,cluster-streams{schedule=linear},cluster-channels,cluster-free-values{enough=100000}' -t pytorch | filecheck %s

builtin.module attributes {onnx.opset = 17 : i64, onnx.model = "two branches"} {
  func.func @main(%image: tensor<1x64x56x56xf32> {onnx.name = "image:0"}) -> (tensor<1x128x28x28xf32>, tensor<1x64x28x28xf32>) {
    %lw = onnx.Weight "left.w" : tensor<64x64x3x3xf32>
    %rw = onnx.Weight "right.w" : tensor<64x64x3x3xf32>
    %scale = onnx.Weight "scale" : tensor<64x1x1xf32>
    %l = onnx.Conv "/left/conv/Conv"(%image, %lw) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %m = onnx.MaxPool "/left/MaxPool"(%l) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x64x56x56xf32>) -> tensor<1x64x28x28xf32>
    %r = onnx.Conv "/right/conv/Conv"(%image, %rw) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x28x28xf32>
    %s = onnx.Mul "/right/Mul"(%r, %scale) : (tensor<1x64x28x28xf32>, tensor<64x1x1xf32>) -> tensor<1x64x28x28xf32>
    %c = onnx.Concat "/Concat"(%m, %s) {axis = 1 : i64} : (tensor<1x64x28x28xf32>, tensor<1x64x28x28xf32>) -> tensor<1x128x28x28xf32>
    func.return %c, %s : tensor<1x128x28x28xf32>, tensor<1x64x28x28xf32>
  }
}

// IR:      cluster.program @main_parallel attributes {{.*}}device = "cuda"
// IR-NOT:  torch.threads
// IR-NOT:  cluster.takes
// IR-NOT:  cluster.share
// IR-NOT:  kernels.max_pool2d

// CHECK:      Schedule  linear: 2 clusters, 2 after merging, on 2 workers, 1 channel
// CHECK:      A worker issues its operations to a stream of its own, and the channels `ch` are
// CHECK-NEXT: events: `send` records one, `await` makes the stream wait for it, not Python.
// CHECK:      class TwoBranches(StreamProgram):
// CHECK-NEXT:     inputs = (Input("image_0", torch.float32, (1, 64, 56, 56), onnx_name="image:0"),)
// CHECK-NEXT:     outputs = ("concat", "right_mul")
// CHECK:          def __init__(self, weights: Weights) -> None:
// CHECK-NEXT:         super().__init__(weights, workers=2)
// CHECK-NEXT:         weights = weights.to(self.device)
// CHECK-NEXT:         self.left_conv = Conv2d(weights, "left_conv", padding=1)
// CHECK-NEXT:         self.right_conv = Conv2d(weights, "right_conv", stride=2, padding=1)
// CHECK-NEXT:         self.scale = weights["scale"]
// CHECK-EMPTY:
// CHECK-NEXT:     async def worker_0(self, ch: Events) -> None:
// CHECK-NEXT:         with ch.stream(0):
// CHECK-NEXT:             # cluster 0: {{.*}} µs
// CHECK-NEXT:             image_0 = await ch.image_0
// CHECK-NEXT:             left_conv = self.left_conv(image_0)
// CHECK-NEXT:             left_max_pool = F.max_pool2d(left_conv, kernel_size=2, stride=2)
// CHECK-NEXT:             del left_conv
// CHECK-NEXT:             right_mul = await ch.right_mul
// CHECK-NEXT:             concat = torch.cat([left_max_pool, right_mul], dim=1)
// CHECK-NEXT:             del left_max_pool
// CHECK-NEXT:             ch.concat.send(concat)
// CHECK-EMPTY:
// CHECK-NEXT:     async def worker_1(self, ch: Events) -> None:
// CHECK-NEXT:         with ch.stream(1):
// CHECK-NEXT:             # cluster 1: {{.*}} µs
// CHECK-NEXT:             image_0 = await ch.image_0
// CHECK-NEXT:             right_conv = self.right_conv(image_0)
// CHECK-NEXT:             right_mul = right_conv * self.scale
// CHECK-NEXT:             del right_conv
// CHECK-NEXT:             ch.right_mul.send(right_mul)
// CHECK-EMPTY:
// CHECK-NEXT:     @one_stream
// CHECK-NEXT:     def serial(self, image_0: Tensor) -> tuple[Tensor, Tensor]:
