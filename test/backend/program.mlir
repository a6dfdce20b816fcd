// The whole program of two branches on two workers, as text.
// RUN: ramiel-opt %s -p onnx-to-torch,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place,cluster-channels -t pytorch | filecheck %s

builtin.module attributes {onnx.opset = 17 : i64, onnx.model = "two branches"} {
  func.func @main(%image: tensor<1x64x56x56xf32> {onnx.name = "image:0"}) -> (tensor<1x128x56x56xf32>, tensor<1x64x56x56xf32>) {
    %lw = onnx.Weight "left.w" : tensor<64x64x3x3xf32>
    %rw = onnx.Weight "right.w" : tensor<64x64x3x3xf32>
    %scale = onnx.Weight "scale" : tensor<64x1x1xf32>
    %l = onnx.Conv "/left/conv/Conv"(%image, %lw) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %r = onnx.Conv "/right/conv/Conv"(%image, %rw) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32>
    %s = onnx.Mul "/right/Mul"(%r, %scale) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32>
    %c = onnx.Concat "/Concat"(%l, %s) {axis = 1 : i64} : (tensor<1x64x56x56xf32>, tensor<1x64x56x56xf32>) -> tensor<1x128x56x56xf32>
    func.return %c, %s : tensor<1x128x56x56xf32>, tensor<1x64x56x56xf32>
  }
}

// CHECK:      """two branches, compiled by Ramiel
// CHECK:      Model     ai.onnx opset 17, 4 operations
// CHECK-NEXT: Schedule  linear{{.*}}: 2 clusters, 2 after merging, on 2 workers, 1 channel
// CHECK:      from ramiel.runtime import Channels, Conv2d, Input, Program, Weights, main, one_thread
// CHECK-NEXT: import torch
// CHECK-NEXT: from torch import Tensor
// CHECK:      class TwoBranches(Program):
// CHECK-NEXT:     inputs = (Input("image_0", torch.float32, (1, 64, 56, 56), onnx_name="image:0"),)
// CHECK-NEXT:     outputs = ("concat", "right_mul")
// CHECK-NEXT:     channels = ("left_conv",)
// CHECK-EMPTY:
// CHECK-NEXT:     def __init__(self, weights: Weights) -> None:
// CHECK-NEXT:         super().__init__(weights, workers=2)
// CHECK-NEXT:         self.left_conv = Conv2d(weights, "left_conv", padding=1)
// CHECK-NEXT:         self.right_conv = Conv2d(weights, "right_conv", padding=1)
// CHECK-NEXT:         self.scale = weights["scale"]
// CHECK-EMPTY:
// CHECK-NEXT:     def worker_0(self, ch: Channels) -> None:
// CHECK-NEXT:         # cluster 0: right_conv to concat, {{.*}} ms
// CHECK-NEXT:         image_0 = ch.image_0.recv()
// CHECK-NEXT:         right_conv = self.right_conv(image_0)
// CHECK-NEXT:         right_mul = right_conv * self.scale
// CHECK-NEXT:         ch.right_mul.send(right_mul)
// CHECK-NEXT:         left_conv = ch.left_conv.recv()
// CHECK-NEXT:         concat = torch.cat([left_conv, right_mul], dim=1)
// CHECK-NEXT:         ch.concat.send(concat)
// CHECK-EMPTY:
// CHECK-NEXT:     def worker_1(self, ch: Channels) -> None:
// CHECK-NEXT:         # cluster 1: left_conv, {{.*}} ms
// CHECK-NEXT:         image_0 = ch.image_0.recv()
// CHECK-NEXT:         left_conv = self.left_conv(image_0)
// CHECK-NEXT:         ch.left_conv.send(left_conv)
// CHECK-EMPTY:
// CHECK-NEXT:     @one_thread
// CHECK-NEXT:     def serial(self, image_0: Tensor) -> tuple[Tensor, Tensor]:
// CHECK:              return concat, right_mul
// CHECK:      if __name__ == "__main__":
// CHECK-NEXT:     main(TwoBranches, __file__)
