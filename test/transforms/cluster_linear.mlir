// RUN: ramiel-opt %s -p cluster-linear | filecheck %s
// RUN: ramiel-opt %s -p cluster-linear,cluster-merge | filecheck %s --check-prefix MERGED
// RUN: not ramiel-opt %s -p cluster-merge 2>&1 | filecheck %s --check-prefix ORDER
// ORDER: error: torch.call has no cluster.id: run cluster-linear first

// A fork with branches of 300, 100 and 50 µs, then another fork of 200 and 40. The critical path
// is cluster 0; the other branches are clusters of their own. The branches of the two forks never
// run at the same time, so that one lane holds a branch of each.
func.func @main(%x: tensor<4xf32>) -> tensor<12xf32> {
  %a = torch.call F.relu(%x) {cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.exp(%a) {cluster.cost = 100.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {cluster.cost = 300.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cos(%a) {cluster.cost = 50.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %e = torch.call torch.cat([%b, %c, %d], dim = 0) {cluster.cost = 10.0 : f64} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<12xf32>
  %f = torch.call torch.tan(%e) {cluster.cost = 40.0 : f64} : (tensor<12xf32>) -> tensor<12xf32>
  %g = torch.call torch.erf(%e) {cluster.cost = 200.0 : f64} : (tensor<12xf32>) -> tensor<12xf32>
  %h = torch.call operator.add(%f, %g) {cluster.cost = 10.0 : f64} : (tensor<12xf32>, tensor<12xf32>) -> tensor<12xf32>
  func.return %h : tensor<12xf32>
}

// CHECK:      F.relu{{.*}}cluster.id = 0
// CHECK-NEXT: torch.exp{{.*}}cluster.id = 1
// CHECK-NEXT: torch.sin{{.*}}cluster.id = 0
// CHECK-NEXT: torch.cos{{.*}}cluster.id = 2
// CHECK-NEXT: torch.cat{{.*}}cluster.id = 0
// CHECK-NEXT: torch.tan{{.*}}cluster.id = 3
// CHECK-NEXT: torch.erf{{.*}}cluster.id = 0
// CHECK-NEXT: operator.add{{.*}}cluster.id = 0

// MERGED:      F.relu{{.*}}cluster.lane = 0
// MERGED-NEXT: torch.exp{{.*}}cluster.lane = 1
// MERGED-NEXT: torch.sin{{.*}}cluster.lane = 0
// MERGED-NEXT: torch.cos{{.*}}cluster.lane = 2
// MERGED-NEXT: torch.cat{{.*}}cluster.lane = 0
// MERGED-NEXT: torch.tan{{.*}}cluster.lane = 1
// MERGED-NEXT: torch.erf{{.*}}cluster.lane = 0
// MERGED-NEXT: operator.add{{.*}}cluster.lane = 0
