// Branches and loops are methods of the program, which both the workers and serial() call.
// RUN: ramiel-opt %s -p onnx-to-torch,torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place,cluster-channels,cluster-free-values -t pytorch | filecheck %s

builtin.module attributes {onnx.opset = 17 : i64, onnx.model = "control"} {
  func.func @main(%c: tensor<i1> {onnx.name = "c"}, %n: tensor<i64> {onnx.name = "n"}, %x: tensor<3xf32> {onnx.name = "x"}) -> (tensor<3xf32>, tensor<3xf32>, tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>) {
    %none = onnx.NoValue() : () -> none
    %w = onnx.Weight "w" : tensor<3xf32>
    %y = onnx.If "choose"(%c) ({
      onnx.Yield(%x) : (tensor<3xf32>) -> ()
    }, {
      %m = onnx.Mul "scaled"(%x, %w) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%m) : (tensor<3xf32>) -> ()
    }) : (tensor<i1>) -> tensor<3xf32>
    %last, %all = onnx.Loop "count"(%n, %none, %x) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<3xf32>):
      %s = onnx.Add "sum"(%a, %y) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%k, %s, %a) : (tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> ()
    }) : (tensor<i64>, none, tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>)
    %p, %q = onnx.Loop "swap"(%none, %c, %x, %y) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<3xf32>, %b: tensor<3xf32>):
      %l = onnx.Less "again"(%i, %n) : (tensor<i64>, tensor<i64>) -> tensor<i1>
      onnx.Yield(%l, %b, %a) : (tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> ()
    }) : (none, tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>)
    func.return %y, %last, %all, %p, %q : tensor<3xf32>, tensor<3xf32>, tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>
  }
}

// CHECK:      from ramiel.runtime import Channels, Input, Program, Weights, main, one_thread, ops
// CHECK:      def worker_0(self, ch: Channels) -> None:
// CHECK:          choose = self.choose(c, x)
// CHECK:          count_0, count_1 = self.count(n, x, choose)

// CHECK:      def choose(self, condition: Tensor, x_2: Tensor) -> Tensor:
// CHECK-NEXT:     if condition:
// CHECK-NEXT:         scaled = x_2 * self.w
// CHECK-NEXT:         return scaled
// CHECK-NEXT:     return x_2

// CHECK:      def count(self, trips: Tensor, a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
// CHECK-NEXT:     count_1: list[Tensor] = []
// CHECK-NEXT:     for step in ops.steps(trips):
// CHECK-NEXT:         sum = a + y
// CHECK-NEXT:         count_1.append(a)
// CHECK-NEXT:         a = sum
// CHECK-NEXT:     return a, ops.stacked(count_1, torch.float32, 3)

// The states swap their places.
// CHECK:      def swap(
// CHECK:          for step_2 in ops.steps():
// CHECK-NEXT:         if not condition_2:
// CHECK-NEXT:             break
// CHECK-NEXT:         again = step_2 < n_2
// CHECK-NEXT:         condition_2, a_2, b = again, b, a_2
// CHECK-NEXT:     return a_2, b

// CHECK:      def serial(self, c: Tensor, n: Tensor, x: Tensor) -> tuple[Tensor, ...]:
// CHECK-NEXT:     choose = self.choose(c, x)
