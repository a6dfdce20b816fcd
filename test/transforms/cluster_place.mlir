// RUN: ramiel-opt %s -p cluster-place | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-place{workers=8}' | filecheck %s --check-prefix MANY
// RUN: ramiel-opt %s -p 'cluster-place{workers=1}' | filecheck %s --check-prefix ONE
// RUN: not ramiel-opt %s -p 'cluster-place{workers=0}' 2>&1 | filecheck %s --check-prefix NONE
// NONE: error: workers must be 1 to 1024, not 0

// Two branches: the longer one stays on worker 0, the other gets worker 1. What is decided stands
// on each operation: its workers, and its place in an order that every worker follows.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
  %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.id = 1 : i64, cluster.lane = 1 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      func.func @main{{.*}}attributes {cluster.schedule = "clusters, merged", cluster.placed_on = 2 : i64}
// CHECK:      operator.mul{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>
// CHECK-NEXT: operator.add{{.*}}cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>
// CHECK-NEXT: torch.sin{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>
// CHECK-NEXT: torch.cat{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 3>
// CHECK-NOT:  cluster.program

// MANY:      cluster.placed_on = 8 : i64
// MANY:      operator.mul{{.*}}cluster.workers = [array<i64: 0>]
// MANY-NEXT: operator.add{{.*}}cluster.workers = [array<i64: 1>]

// ONE:      cluster.placed_on = 1 : i64
// ONE:      operator.mul{{.*}}cluster.workers = [array<i64: 0>]
// ONE-NEXT: operator.add{{.*}}cluster.workers = [array<i64: 0>]
