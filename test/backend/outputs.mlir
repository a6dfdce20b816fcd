// RUN: ramiel-opt --split-input-file %s -p torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place,cluster-channels -t pytorch | filecheck %s

// An input that is an output, a weight that is one, one twice, and more of them than fit on a line.
builtin.module attributes {onnx.model = "\22\22\22 + conv2d"} {
  func.func @main(%x: tensor<4xf32>, %second: tensor<?x2xi64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %w = torch.weight "w" : tensor<4xf32>
    %a = torch.call F.relu(%x) {torch.node = "a_rather_long_name_of_it", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    func.return %a, %x, %w, %a : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
}
// CHECK:      """___ + conv2d, compiled by Ramiel
// CHECK:      class Conv2d_(Program):
// CHECK-NEXT:     inputs = (Input("x", torch.float32, (4,)), Input("second", torch.int64, (None, 2)))
// CHECK-NEXT:     outputs = ("a_rather_long_name_of_it", "x", "w", "a_rather_long_name_of_it")
// CHECK-EMPTY:
// CHECK-NEXT:     def __init__(self, weights: Weights) -> None:
// CHECK-NEXT:         super().__init__(weights, workers=1)
// CHECK-NEXT:         self.w = weights["w"]
// CHECK:          def worker_0(self, ch: Channels) -> None:
// CHECK:              a_rather_long_name_of_it = F.relu(x)
// CHECK-NEXT:         ch.a_rather_long_name_of_it.send(a_rather_long_name_of_it)
// CHECK-NEXT:         ch.w.send(self.w)
// CHECK:          def serial(self, x: Tensor, second: Tensor) -> tuple[Tensor, ...]:
// CHECK-NEXT:         a_rather_long_name_of_it = F.relu(x)
// CHECK-NEXT:         return a_rather_long_name_of_it, x, self.w, a_rather_long_name_of_it

// -----

// Nothing to compute at all; a scalar.
builtin.module {
  func.func @main(%x: tensor<f64>) -> tensor<f64> {
    func.return %x : tensor<f64>
  }
}
// CHECK:      inputs = (Input("x", torch.float64, ()),)
// CHECK-NEXT: outputs = ("x",)
// CHECK:      def worker_0(self, ch: Channels) -> None:
// CHECK-NEXT:     pass
// CHECK:      def serial(self, x: Tensor) -> Tensor:
// CHECK-NEXT:     return x
