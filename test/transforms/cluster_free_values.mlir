// RUN: ramiel-opt %s -p 'cluster-free-values{enough=4096}' | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-free-values{enough=4096}' -t pytorch | filecheck %s --check-prefix PY

// Large values are freed after their last use, in the serial program and in the workers, and a
// channel with one receiver lets go of them. Small ones, inputs, and what is returned are not.
builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<1x2048xf32> {torch.name = "x"}) -> tensor<1x2048xf32> {
    %a = torch.call F.relu(%x) {torch.names = ["a"]} : (tensor<1x2048xf32>) -> tensor<1x2048xf32>
    %b = torch.call torch.exp(%a) {torch.names = ["b"]} : (tensor<1x2048xf32>) -> tensor<1x2048xf32>
    %small = torch.call torch.sum(%b, dim = 1, keepdim = true) {torch.names = ["small"]} : (tensor<1x2048xf32>) -> tensor<1x1xf32>
    %y = torch.call operator.sub(%a, %small) {torch.names = ["y"]} : (tensor<1x2048xf32>, tensor<1x1xf32>) -> tensor<1x2048xf32>
    func.return %y : tensor<1x2048xf32>
  }
  cluster.program @main_parallel attributes {schedule = "linear", clusters_before_merge = 1 : i64, clusters = 1 : i64, workers = 2 : i64, batch = 1 : i64, cores = 2 : i64, channels = 1 : i64, serial_us = 9.0 : f64, parallel_us = 9.0 : f64, critical_path_us = 9.0 : f64, bound_us = 9.0 : f64} {
    cluster.channel input @x : tensor<1x2048xf32>
    cluster.channel value @a : tensor<1x2048xf32>
    cluster.channel value @b : tensor<1x2048xf32>
    cluster.channel output @y : tensor<1x2048xf32>
    cluster.worker 0 {
      %x = cluster.recv @x {torch.names = ["x"]} : tensor<1x2048xf32>
      %a = torch.call F.relu(%x) {torch.names = ["a"]} : (tensor<1x2048xf32>) -> tensor<1x2048xf32>
      cluster.send @a %a : tensor<1x2048xf32>
      %b = torch.call torch.exp(%a) {torch.names = ["b"]} : (tensor<1x2048xf32>) -> tensor<1x2048xf32>
      cluster.send @b %b : tensor<1x2048xf32>
    }
    cluster.worker 1 {
      %b = cluster.recv @b {torch.names = ["b"]} : tensor<1x2048xf32>
      %small = torch.call torch.sum(%b, dim = 1, keepdim = true) {torch.names = ["small"]} : (tensor<1x2048xf32>) -> tensor<1x1xf32>
      %a = cluster.recv @a {torch.names = ["a"]} : tensor<1x2048xf32>
      %c = torch.call operator.neg(%a) {torch.names = ["c"]} : (tensor<1x2048xf32>) -> tensor<1x2048xf32>
      %y = torch.call operator.add(%c, %small) {torch.names = ["y"]} : (tensor<1x2048xf32>, tensor<1x1xf32>) -> tensor<1x2048xf32>
      cluster.send @y %y : tensor<1x2048xf32>
    }
  }
}

// CHECK:      func.func @main
// CHECK:        %b = torch.call torch.exp(%a)
// CHECK-NEXT:   %small = torch.call torch.sum(%b
// CHECK-NEXT:   torch.free %b : tensor<1x2048xf32>
// CHECK-NEXT:   %y = torch.call operator.sub(%a, %small)
// CHECK-NEXT:   torch.free %a : tensor<1x2048xf32>
// CHECK-NEXT:   func.return %y
// CHECK:      cluster.worker 0
// CHECK-NEXT:   cluster.recv @x {torch.names = ["x"]}
// CHECK:        %b = torch.call torch.exp(%a)
// CHECK-NEXT:   torch.free %a : tensor<1x2048xf32>
// CHECK-NEXT:   cluster.send @b %b
// CHECK-NEXT: }
// CHECK:      cluster.worker 1
// CHECK-NEXT:   %b = cluster.recv @b {torch.names = ["b"], cluster.takes}
// CHECK-NEXT:   %small = torch.call torch.sum(%b
// CHECK-NEXT:   torch.free %b : tensor<1x2048xf32>
// CHECK-NEXT:   %a = cluster.recv @a {torch.names = ["a"], cluster.takes}
// CHECK-NEXT:   %c = torch.call operator.neg(%a)
// CHECK-NEXT:   torch.free %a : tensor<1x2048xf32>
// CHECK-NEXT:   %y = torch.call operator.add(%c, %small)
// CHECK-NEXT:   torch.free %c : tensor<1x2048xf32>
// CHECK-NEXT:   cluster.send @y %y

// PY:      def worker_1(self, ch: Channels) -> None:
// PY-NEXT:   b = ch.b.take()
// PY:        y = c + small
// PY-NEXT:   del c
// PY-NEXT:   ch.y.send(y)
// PY:      def serial(self, x: Tensor) -> Tensor:
// PY:        b = torch.exp(a)
// PY-NEXT:   small = torch.sum(b, dim=1, keepdim=True)
// PY-NEXT:   del b
