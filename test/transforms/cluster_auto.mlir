// RUN: ramiel-opt %s -p cluster-auto | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-auto{workers=1}' | filecheck %s --check-prefix SERIAL
// SERIAL: cluster.schedule = "serial"
// RUN: not ramiel-opt %s -p 'cluster-auto{batch=2}' 2>&1 | filecheck %s --check-prefix BATCH
// BATCH: error: input 0 is 4: a batch needs a model whose inputs and outputs have a first dimension of 1
// RUN: not ramiel-opt %s -p 'cluster-auto{memory-limit=20}' 2>&1 | filecheck %s --check-prefix SMALL
// SMALL: error: a memory limit of 20 bytes is too small

// Two branches of one value: the longer one and the join stay together.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %a = torch.call F.relu(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.cos(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      torch.call F.relu{{.*}}cluster.workers = [array<i64: [[MAIN:[01]]]>], cluster.position = array<i64: 0>
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: [[OTHER:[01]]]>]
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: [[MAIN]]>]
// CHECK-NEXT: torch.call torch.cat{{.*}}cluster.workers = [array<i64: [[MAIN]]>], cluster.position = array<i64: 3>
