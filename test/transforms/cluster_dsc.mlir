// RUN: ramiel-opt %s -p cluster-dsc | filecheck %s
// RUN: ramiel-opt %s -p cluster-dsc,cluster-merge,cluster-place | filecheck %s --check-prefix PLACED

// Two branches of one value: the longer one and the join stay together.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %a = torch.call F.relu(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.cos(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      cluster.clustering = "dsc"
// CHECK:      torch.call F.relu{{.*}}cluster.id = [[MAIN:[0-9]]] : i64
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.id = [[OTHER:[0-9]]] : i64
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.id = [[MAIN]] : i64
// CHECK-NEXT: torch.call torch.cat{{.*}}cluster.id = [[MAIN]] : i64

// PLACED: cluster.schedule = "dsc, merged"
