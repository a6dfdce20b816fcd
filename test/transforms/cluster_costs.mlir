// RUN: ramiel-opt %s -p cluster-costs | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-costs{threads=2}' | filecheck %s --check-prefix TWO
// RUN: ramiel-opt %s -p 'cluster-costs{threads=6}' | filecheck %s --check-prefix SIX
// RUN: ramiel-opt %s -p 'cluster-costs{threads=6},cluster-costs' | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-costs{executor=processes}' | filecheck %s --check-prefix CALL
// RUN: ramiel-opt %s -p 'cluster-costs{ranks=2}' | filecheck %s --check-prefix CALL
// RUN: ramiel-opt %s -p 'cluster-costs{ranks=2},cluster-costs' | filecheck %s
// CALL: cluster.call = 7.5{{0*}}e+01 : f64
// RUN: not ramiel-opt %s -p 'cluster-costs{source=guess}' 2>&1 | filecheck %s --check-prefix GUESS
// GUESS: error: costs are static, probe, profile, not 'guess'
// RUN: not ramiel-opt %s -p 'cluster-costs{threads=0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: error: workers must be 1 to 1024, not 0
// RUN: not ramiel-opt %s -p 'cluster-costs{threads=1025}' 2>&1 | filecheck %s --check-prefix MANY
// MANY: error: workers must be 1 to 1024, not 1025

// A cost for each call and layer, by the work that its shapes imply; a weight costs nothing. More
// threads have costs of their own, for powers of two and the most; an operation too small to gain
// from them costs what it does on one.
func.func @main(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32> {
  %w = torch.weight "scale" : tensor<64x1x1xf32>
  %0 = torch.layer Conv2d(%x) {padding = 1} weights {weight = "w" : tensor<64x64x3x3xf32>} : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %1 = torch.call operator.mul(%0, %w) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32>
  %2 = torch.call Tensor.reshape(%1, 64, -1) : (tensor<1x64x56x56xf32>) -> tensor<64x3136xf32>
  %3 = torch.call torch.full([2, 2], 0.0) : () -> tensor<2x2xf32>
  func.return %1 : tensor<1x64x56x56xf32>
}

// CHECK:      attributes {cluster.threads = array<i64>}
// CHECK:      torch.weight "scale" : tensor<64x1x1xf32>
// CHECK-NEXT: torch.layer Conv2d{{.*}}cluster.cost = {{[0-9.e+-]+}} : f64}
// CHECK-NEXT: torch.call operator.mul{{.*}}cluster.cost = {{[0-9.e+-]+}} : f64}
// CHECK-NEXT: torch.call Tensor.reshape{{.*}}cluster.cost = {{[0-9.e+-]+}} : f64}
// CHECK-NEXT: torch.call torch.full{{.*}}cluster.cost = {{[0-9.e+-]+}} : f64}

// TWO:      attributes {cluster.threads = array<i64: 2>}
// TWO:      torch.layer Conv2d{{.*}}cluster.cost = 9.{{[0-9]+}}e+02 : f64, cluster.wide_cost = array<f64: {{[45]}}.{{[0-9]+}}e+02>}
// TWO:      torch.call Tensor.reshape{{.*}}cluster.cost = [[VIEW:[0-9.e+-]+]] : f64, cluster.wide_cost = array<f64: [[VIEW]]>}

// SIX:      attributes {cluster.threads = array<i64: 2, 4, 6>}
// SIX:      torch.layer Conv2d{{.*}}cluster.wide_cost = array<f64: {{[0-9.e+-]+}}, {{[0-9.e+-]+}}, {{[0-9.e+-]+}}>}
