// What cannot run as a batch is refused.
// RUN: not ramiel-opt %s -p 'cluster-costs,cluster-serial,cluster-hyper{batch=0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: error: a batch must be 1 to 1024 samples, not 0
// RUN: not ramiel-opt %s -p 'cluster-costs,cluster-serial,cluster-hyper{batch=-1}' 2>&1 | filecheck %s --check-prefix NEGATIVE
// NEGATIVE: error: a batch must be 1 to 1024 samples, not -1
// RUN: not ramiel-opt %s -p 'cluster-costs,cluster-serial,cluster-hyper{batch=1025}' 2>&1 | filecheck %s --check-prefix MANY
// MANY: error: a batch must be 1 to 1024 samples, not 1025
// RUN: not ramiel-opt %s -p 'cluster-hyper{batch=two}' 2>&1 | filecheck %s --check-prefix NUMBER
// NUMBER: error: {{.*}}two
// RUN: not ramiel-opt %s -p cluster-costs,cluster-hyper 2>&1 | filecheck %s --check-prefix UNPLACED
// UNPLACED: error: there is no placement: run a scheduler, as cluster-place, first
// RUN: not ramiel-opt %s -p cluster-costs,cluster-serial,cluster-hyper,cluster-hyper 2>&1 | filecheck %s --check-prefix TWICE
// TWICE: error: the placement is one for a batch of 2 already
// RUN: not ramiel-opt %s -p 'cluster-costs{threads=2},cluster-serial{workers=2},cluster-hyper' 2>&1 | filecheck %s --check-prefix WIDE
// WIDE: error: hyperclusters are made of tasks that run on one thread

func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> {
  %a = torch.call torch.exp(%x) {torch.names = ["a"]} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %a : tensor<1x4xf32>
}
