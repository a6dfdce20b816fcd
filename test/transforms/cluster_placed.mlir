// RUN: ramiel-opt %s -p cluster-placed | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-placed{workers=3}' | filecheck %s --check-prefix THREE
// RUN: ramiel-opt %s -p cluster-placed,cluster-requests,cluster-channels | ramiel-opt | filecheck %s --check-prefix PROGRAM

// A stage is a worker. %c is made by a pass, from no node: it is where the value is that it reads.
builtin.module attributes {onnx.configurations = ["two"]} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
    %a = torch.call F.relu(%x) {torch.node = "a", torch.stages = array<i64: 0>, torch.names = ["a"], cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.cos(%a) {torch.node = "b", torch.stages = array<i64: 1>, torch.names = ["b"], cluster.cost = 40.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 30.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %d = torch.call torch.cat([%b, %c], dim = 0) {torch.node = "d", torch.stages = array<i64: 1>, torch.names = ["d"], cluster.cost = 20.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    func.return %d : tensor<8xf32>
  }
}

// No stage reads a value of a later one, so requests pass through the two.
// CHECK:      cluster.schedule = "placed", cluster.placed_on = 2 : i64, cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64
// CHECK-NEXT: torch.call F.relu{{.*}}cluster.workers = [array<i64: 0>]
// CHECK-NEXT: torch.call torch.cos{{.*}}cluster.workers = [array<i64: 1>]
// CHECK-NEXT: torch.call torch.sin{{.*}}cluster.workers = [array<i64: 0>]
// CHECK-NEXT: torch.call torch.cat{{.*}}cluster.workers = [array<i64: 1>]

// THREE: cluster.placed_on = 3 : i64, cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64

// PROGRAM: cluster.program @main_parallel attributes {schedule = "placed"{{.*}}workers = 2 : i64
// PROGRAM: cluster.worker 1
// PROGRAM: cluster.recv @a
// PROGRAM: cluster.recv @c
