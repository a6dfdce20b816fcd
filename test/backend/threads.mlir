// RUN: ramiel-opt %s -p cluster-channels -t pytorch | filecheck %s

// Operations on several threads, and turns: a core that is lent and given back.
builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "turn_1"}) -> tensor<4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>, cluster.hand_over = 10.0 : f64, cluster.switch = 5.0 : f64} {
    %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.wide_cost = array<f64: 160.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
    %c = torch.call torch.cos(%x) {torch.names = ["c"], cluster.cost = 200.0 : f64, cluster.wide_cost = array<f64: 110.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>} : (tensor<4xf32>) -> tensor<4xf32>
    %d = torch.call torch.tan(%b) {torch.names = ["d"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 3>} : (tensor<4xf32>) -> tensor<4xf32>
    %e = torch.call operator.add(%c, %d) {torch.names = ["e"], cluster.cost = 10.0 : f64, cluster.wide_cost = array<f64: 10.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 4>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    func.return %e : tensor<4xf32>
  }
}

// CHECK:      Schedule  by hand: on 2 workers, 1 channel
// CHECK:      A worker is one thread. After `torch.set_num_threads(n)` its operations use other
// CHECK:      channels = ("c", "turn_2", "turn_3")
// CHECK:      super().__init__(weights, workers=2)
// CHECK:      def worker_0(self, ch: Channels) -> None:
// CHECK-NEXT:     turn_1 = ch.turn_1.recv()
// CHECK-NEXT:     torch.set_num_threads(2)
// CHECK-NEXT:     a = torch.exp(turn_1)
// CHECK-NEXT:     ch.turn_2.send()
// CHECK-NEXT:     torch.set_num_threads(1)
// CHECK-NEXT:     b = torch.sin(a)
// CHECK-NEXT:     ch.turn_3.recv()
// CHECK-NEXT:     torch.set_num_threads(2)
// CHECK-NEXT:     d = torch.tan(b)
// CHECK-NEXT:     c = ch.c.recv()
// CHECK-NEXT:     torch.set_num_threads(1)
// CHECK-NEXT:     e = c + d
// CHECK-NEXT:     ch.e.send(e)
// CHECK-EMPTY:
// CHECK-NEXT: def worker_1(self, ch: Channels) -> None:
// CHECK-NEXT:     turn_1 = ch.turn_1.recv()
// CHECK-NEXT:     ch.turn_2.recv()
// CHECK-NEXT:     c = torch.cos(turn_1)
// CHECK-NEXT:     ch.c.send(c)
// CHECK-NEXT:     ch.turn_3.send()
// CHECK-EMPTY:
// CHECK-NEXT: @one_thread
// CHECK-NEXT: def serial(self, turn_1: Tensor) -> Tensor:
// CHECK-NEXT:     torch.set_num_threads(2)
// CHECK-NEXT:     a = torch.exp(turn_1)
// CHECK-NEXT:     torch.set_num_threads(1)
// CHECK-NEXT:     b = torch.sin(a)
// CHECK-NEXT:     c = torch.cos(turn_1)
// CHECK-NEXT:     torch.set_num_threads(2)
// CHECK-NEXT:     d = torch.tan(b)
// CHECK-NEXT:     torch.set_num_threads(1)
// CHECK-NEXT:     e = c + d
// CHECK-NEXT:     return e
