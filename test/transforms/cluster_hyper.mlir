// RUN: ramiel-opt %s -p cluster-hyper | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-hyper{batch=3 switched=true}' | filecheck %s --check-prefix SWITCHED
// RUN: ramiel-opt %s -p 'cluster-hyper{batch=1}' | filecheck %s --check-prefix ONE
// RUN: ramiel-opt %s -p 'cluster-hyper{batch=3 switched=true},cluster-channels' | ramiel-opt | filecheck %s --check-prefix PROGRAM

// Two branches on two workers, for each sample: while worker 0 waits for the other branch of one
// sample, it does the next. Switched, the next sample has its clusters one worker further on.
func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x8xf32> attributes {cluster.schedule = "linear", cluster.placed_on = 2 : i64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 100.0 : f64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %b = torch.call torch.sin(%x) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %c = torch.call torch.cat([%a, %b], dim = 1) {torch.names = ["c"], cluster.cost = 10.0 : f64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 2>} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x8xf32>
  func.return %c : tensor<1x8xf32>
}

// CHECK:      cluster.schedule = "linear, hyperclusters", cluster.placed_on = 2 : i64
// CHECK-NEXT: torch.exp{{.*}}cluster.workers = [array<i64: 0>, array<i64: 0>], cluster.position = array<i64: 0, 2>
// CHECK-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 1>, array<i64: 1>], cluster.position = array<i64: 1, 3>
// CHECK-NEXT: torch.cat{{.*}}cluster.workers = [array<i64: 0>, array<i64: 0>], cluster.position = array<i64: 4, 5>

// SWITCHED:      cluster.schedule = "linear, switched hyperclusters", cluster.placed_on = 2 : i64
// SWITCHED-NEXT: torch.exp{{.*}}cluster.workers = [array<i64: 0>, array<i64: 1>, array<i64: 0>]
// SWITCHED-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 1>, array<i64: 0>, array<i64: 1>]
// SWITCHED-NEXT: torch.cat{{.*}}cluster.workers = [array<i64: 0>, array<i64: 1>, array<i64: 0>]

// ONE:      cluster.placed_on = 2 : i64
// ONE-NEXT: torch.exp{{.*}}cluster.workers = [array<i64: 0>]
// ONE-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 1>]

// PROGRAM: cluster.program @main_parallel{{.*}}batch = 3 : i64, workers = 2 : i64
// PROGRAM: cluster.channel input @x_2
