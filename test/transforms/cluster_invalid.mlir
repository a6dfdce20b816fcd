// Each pass names the one that must come before it.
// RUN: not ramiel-opt %s -p cluster-linear 2>&1 | filecheck %s --check-prefix COSTS
// COSTS: error: torch.call has no cost: run cluster-costs first
// RUN: not ramiel-opt %s -p cluster-costs,cluster-place 2>&1 | filecheck %s --check-prefix CLUSTERS
// CLUSTERS: error: torch.call has no cluster.id: run cluster-linear first
// RUN: not ramiel-opt %s -p cluster-costs,cluster-channels 2>&1 | filecheck %s --check-prefix PLACEMENT
// PLACEMENT: error: there is no placement: run a scheduler, as cluster-place, first
// RUN: not ramiel-opt %s -p cluster-costs,cluster-linear,cluster-place,cluster-channels 2>&1 | filecheck %s --check-prefix NAMES
// NAMES: error: {{.*}} has no name: run torch-assign-names first
// RUN: not ramiel-opt %s -p 'cluster-place{workers=1025}' 2>&1 | filecheck %s --check-prefix MANY
// MANY: error: workers must be 1 to 1024, not 1025
// RUN: not ramiel-opt %s -p 'cluster-place{workers=two}' 2>&1 | filecheck %s --check-prefix NUMBER
// NUMBER: error: {{.*}}two

// A second program would have the name of the first.
// RUN: not ramiel-opt %s -p torch-assign-names,cluster-costs,cluster-serial,cluster-channels,cluster-channels 2>&1 | filecheck %s --check-prefix TWICE
// TWICE: error: {{.*}}Redefinition of symbol "main_parallel"

// A module of one function is expected.
// RUN: printf 'builtin.module {}' > %t.mlir
// RUN: not ramiel-opt %t.mlir -p torch-assign-names 2>&1 | filecheck %s --check-prefix NONE
// NONE: error: expected one function with a body, found 0

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %a : tensor<4xf32>
}
