// RUN: ramiel-opt %s -p cluster-serial | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-costs{threads=2},cluster-serial{workers=2}' | filecheck %s --check-prefix WIDE
// RUN: ramiel-opt %s -p 'cluster-costs{threads=4},cluster-serial{workers=3}' | filecheck %s --check-prefix WIDE
// RUN: not ramiel-opt %s -p 'cluster-serial{workers=2}' 2>&1 | filecheck %s --check-prefix COSTS
// COSTS: error: there are no costs on more than one thread: run cluster-costs with threads=2
// RUN: not ramiel-opt %s -p 'cluster-serial{workers=0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: error: workers must be 1 to 1024, not 0
// RUN: not ramiel-opt %s -p 'cluster-serial{workers=1025}' 2>&1 | filecheck %s --check-prefix MANY
// MANY: error: workers must be 1 to 1024, not 1025

// All on one worker, one after the other; or all on so many threads as there are costs for.
func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 10.0 : f64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %b : tensor<1x4xf32>
}

// CHECK:      cluster.schedule = "serial", cluster.placed_on = 1 : i64
// CHECK-NEXT: torch.exp{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>
// CHECK-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>

// WIDE:      cluster.schedule = "intra-op", cluster.placed_on = 2 : i64
// WIDE-NEXT: torch.exp{{.*}}cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>
// WIDE-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 1>
