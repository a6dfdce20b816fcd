// RUN: ramiel-opt %s -p cluster-merge | filecheck %s

// Clusters 1 and 2 run at the same time and keep lanes of their own. Cluster 3 starts when both
// are done, and takes the lane of one of them. The numbers of the linear clusters stay.
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = torch.call F.relu(%x) {cluster.cost = 10.0 : f64, cluster.id = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.exp(%a) {cluster.cost = 100.0 : f64, cluster.id = 1 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {cluster.cost = 100.0 : f64, cluster.id = 2 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cos(%a) {cluster.cost = 300.0 : f64, cluster.id = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %e = torch.call operator.add(%b, %c) {cluster.cost = 50.0 : f64, cluster.id = 3 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %f = torch.call operator.add(%d, %e) {cluster.cost = 10.0 : f64, cluster.id = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %f : tensor<4xf32>
}

// CHECK:      F.relu{{.*}}cluster.id = 0 : i64, cluster.lane = 0
// CHECK-NEXT: torch.exp{{.*}}cluster.id = 1 : i64, cluster.lane = 1
// CHECK-NEXT: torch.sin{{.*}}cluster.id = 2 : i64, cluster.lane = 2
// CHECK-NEXT: torch.cos{{.*}}cluster.id = 0 : i64, cluster.lane = 0
// CHECK-NEXT: operator.add(%b, %c){{.*}}cluster.id = 3 : i64, cluster.lane = 1
// CHECK-NEXT: operator.add(%d, %e){{.*}}cluster.id = 0 : i64, cluster.lane = 0
