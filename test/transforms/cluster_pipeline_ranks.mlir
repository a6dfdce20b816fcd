// Stages on ranks know what a message takes: 1 µs and its bytes at 2000 a µs of either worker.
// RUN: ramiel-opt %s -p cluster-pipeline | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-pipeline,cluster-requests{workers=2},cluster-channels{executor=distributed}' | ramiel-opt | filecheck %s --check-prefix PROGRAM

// The stages would be most alike with a cut after %a, whose 256 KB take 131 µs of both. After %c,
// 1 KB crosses.
func.func @main(%x: tensor<1xf32> {torch.name = "x"}) -> tensor<1x256xf32> attributes {cluster.threads = array<i64>, cluster.ranks = array<i64: 0, 1>, cluster.link = array<f64: 5.0, 1250.0, 1.0, 2000.0>} {
  %v = torch.weight "v" : tensor<256x256xf32>
  %a = torch.call operator.add(%x, %v) {torch.names = ["a"], cluster.cost = 50.0 : f64} : (tensor<1xf32>, tensor<256x256xf32>) -> tensor<256x256xf32>
  %b = torch.call F.relu(%a) {torch.names = ["b"], cluster.cost = 20.0 : f64} : (tensor<256x256xf32>) -> tensor<256x256xf32>
  %c = torch.call torch.sum(%b, dim = 0, keepdim = true) {torch.names = ["c"], cluster.cost = 10.0 : f64} : (tensor<256x256xf32>) -> tensor<1x256xf32>
  %w = torch.weight "w" : tensor<256x256xf32>
  %d = torch.call operator.matmul(%c, %w) {torch.names = ["d"], cluster.cost = 20.0 : f64} : (tensor<1x256xf32>, tensor<256x256xf32>) -> tensor<1x256xf32>
  func.return %d : tensor<1x256xf32>
}

// CHECK:      cluster.schedule = "pipeline"
// CHECK:      operator.add{{.*}}cluster.workers = [array<i64: 0>]
// CHECK:      F.relu{{.*}}cluster.workers = [array<i64: 0>]
// CHECK:      torch.sum{{.*}}cluster.workers = [array<i64: 0>]
// CHECK:      operator.matmul{{.*}}cluster.workers = [array<i64: 1>]

// 80 µs of stage 0, and 1.5 for its message.
// PROGRAM:      cluster.program @main_parallel attributes {schedule = "pipeline"
// PROGRAM-SAME: streaming = "pipeline", at_a_time = 2 : i64, in_flight = 3 : i64, interval_us = 8.150000e+01 : f64
// PROGRAM-SAME: executor = "distributed"
// PROGRAM:      cluster.worker 0 rank 0
// PROGRAM:      cluster.worker 1 rank 1
// PROGRAM:      cluster.recv @c
