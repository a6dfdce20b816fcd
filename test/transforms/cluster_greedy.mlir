// RUN: ramiel-opt %s -p cluster-greedy | filecheck %s

// Two branches of one value: the longer one and the join stay together.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %a = torch.call F.relu(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.cos(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      cluster.schedule = "greedy"
// CHECK:      torch.call F.relu{{.*}}cluster.workers = [array<i64: [[MAIN:[01]]]>], cluster.position = array<i64: 0>
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: [[OTHER:[01]]]>]
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: [[MAIN]]>]
// CHECK-NEXT: torch.call torch.cat{{.*}}cluster.workers = [array<i64: [[MAIN]]>], cluster.position = array<i64: 3>
