// Stages that read each other's values, as a schedule for one call has them: each worker has an
// order in which they can run, and how requests stream is left to cluster-requests.
// RUN: ramiel-opt %s -p 'cluster-placed{configuration=back}' | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-placed{configuration=back},cluster-requests,cluster-channels' | ramiel-opt | filecheck %s --check-prefix PROGRAM
// RUN: ramiel-opt %s -p 'cluster-placed{configuration=one}' | filecheck %s --check-prefix ONE

builtin.module attributes {onnx.configurations = ["one", "back"]} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> {
    %a = torch.call F.relu(%x) {torch.node = "a", torch.stages = array<i64: 0, 0>, torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.cos(%a) {torch.node = "b", torch.stages = array<i64: 0, 1>, torch.names = ["b"], cluster.cost = 40.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %c = torch.call torch.sin(%b) {torch.node = "c", torch.stages = array<i64: 0, 0>, torch.names = ["c"], cluster.cost = 30.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    func.return %c : tensor<4xf32>
  }
}

// CHECK:      cluster.schedule = "placed", cluster.placed_on = 2 : i64} {
// CHECK-NEXT: torch.call F.relu{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: 0>], cluster.position = array<i64: 2>

// PROGRAM:      cluster.worker 0
// PROGRAM:      cluster.send @a
// PROGRAM-NEXT: cluster.recv @b

// ONE:         cluster.schedule = "placed", cluster.placed_on = 2 : i64
// ONE-COUNT-3: cluster.workers = [array<i64: 0>]
