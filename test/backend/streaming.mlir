// How requests that follow each other are computed: a declaration, and a line of the header.
// RUN: ramiel-opt %s -p cluster-pipeline,cluster-requests,cluster-channels -t pytorch | filecheck %s

builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> {
    %a = torch.call torch.cos(%x) {torch.names = ["a"], cluster.cost = 5000.0 : f64, cluster.id = 0 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
    %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 4000.0 : f64, cluster.id = 0 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
    func.return %b : tensor<1x4xf32>
  }
}

// CHECK:      Expected  serial 9.00 ms, parallel 9.00 ms
// CHECK-NEXT: Streams   pipeline, 2 at a time: 200 requests/s, latency 15.0 ms
// CHECK:          Program,
// CHECK-NEXT:     Streaming,
// CHECK:      channels = ("a",)
// CHECK-NEXT: streaming = Streaming("pipeline", at_a_time=2, in_flight=3)
// CHECK:      def worker_1(self, ch: Channels) -> None:
// CHECK-NEXT:     # cluster 0: b, 4.00 ms
// CHECK-NEXT:     a = ch.a.recv()
