// RUN: ramiel-opt %s -p cluster-pipeline | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-pipeline{workers=3}' | filecheck %s --check-prefix THREE
// RUN: ramiel-opt %s -p cluster-pipeline,cluster-requests,cluster-channels | ramiel-opt | filecheck %s --check-prefix PROGRAM
// RUN: not ramiel-opt %s -p 'cluster-pipeline{workers=0}' 2>&1 | filecheck %s --check-prefix NONE
// NONE: error: workers must be 1 to 1024, not 0

// Two branches and a join, 100 µs: the cut in the middle is between the branches, not through one.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %a = torch.call F.relu(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.cos(%a) {torch.names = ["b"], cluster.cost = 40.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 30.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 20.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      cluster.schedule = "pipeline", cluster.placed_on = 2 : i64, cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
// CHECK-NEXT: torch.call F.relu{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>
// CHECK-NEXT: torch.call torch.cat{{.*}}cluster.workers = [array<i64: 1>], cluster.position = array<i64: 3>

// Worker 1 starts when it has the value that it needs, 11 µs after the start of a request, and its
// 50 µs are the interval.
// PROGRAM:      cluster.program @main_parallel attributes {schedule = "pipeline"{{.*}}workers = 2 : i64
// PROGRAM-SAME: streaming = "pipeline", at_a_time = 2 : i64, in_flight = 3 : i64, interval_us = 5.000000e+01 : f64, latency_us = 1.500000e+02 : f64
// PROGRAM:      cluster.worker 1
// PROGRAM:      cluster.recv @a
// PROGRAM:      cluster.recv @b

// A third stage would make none of the two shorter.
// THREE:      cluster.placed_on = 3 : i64, cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64
// THREE-NEXT: torch.call F.relu{{.*}}cluster.workers = [array<i64: 0>]
// THREE-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: 0>]
// THREE-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: 1>]
// THREE-NEXT: torch.call torch.cat{{.*}}cluster.workers = [array<i64: 1>]
