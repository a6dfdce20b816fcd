// RUN: ramiel-opt %s -p cluster-channels -t pytorch | filecheck %s

// A batch of two samples: names have the number of the sample, weights and layers have none, and
// the serial program is that of one sample.
builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64} {
    %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
    %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 0, 1>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 20.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 1>, array<i64: 0>], cluster.position = array<i64: 2, 3>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    func.return %b : tensor<1x4xf32>
  }
}

// CHECK:      Schedule  by hand: 1 cluster, on 2 workers, 2 samples at a time, 2 channels
// CHECK-NOT:  set_num_threads
// CHECK:      inputs = (Input("x", torch.float32, (1, 4)),)
// CHECK-NEXT: outputs = ("b",)
// CHECK-NEXT: channels = ("a_0", "a_1")
// CHECK-NEXT: batch = 2
// CHECK:      self.w = weights["w"]
// CHECK:      def worker_0(self, ch: Channels) -> None:
// CHECK-NEXT:     # cluster 0: a to b, samples 0 and 1, 0.03 ms
// CHECK-NEXT:     x_0 = ch.x_0.recv()
// CHECK-NEXT:     a_0 = x_0 * self.w
// CHECK-NEXT:     ch.a_0.send(a_0)
// CHECK-NEXT:     a_1 = ch.a_1.recv()
// CHECK-NEXT:     b_1 = a_1 + self.w
// CHECK-NEXT:     ch.b_1.send(b_1)
// CHECK-EMPTY:
// CHECK-NEXT: def worker_1(self, ch: Channels) -> None:
// CHECK-NEXT:     # cluster 0: a to b, samples 0 and 1, 0.03 ms
// CHECK-NEXT:     x_1 = ch.x_1.recv()
// CHECK-NEXT:     a_1 = x_1 * self.w
// CHECK-NEXT:     ch.a_1.send(a_1)
// CHECK-NEXT:     a_0 = ch.a_0.recv()
// CHECK-NEXT:     b_0 = a_0 + self.w
// CHECK-NEXT:     ch.b_0.send(b_0)
// CHECK:      def serial(self, x: Tensor) -> Tensor:
// CHECK-NEXT:     a = x * self.w
// CHECK-NEXT:     b = a + self.w
// CHECK-NEXT:     return b
