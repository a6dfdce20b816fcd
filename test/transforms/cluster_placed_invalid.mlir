// A placement that a model does not have, or has in part.
// RUN: not ramiel-opt %s -p cluster-placed 2>&1 | filecheck %s --check-prefix SEVERAL
// SEVERAL: error: the model has several device configurations, choose one of part, far
// RUN: not ramiel-opt %s -p 'cluster-placed{configuration=other}' 2>&1 | filecheck %s --check-prefix UNKNOWN
// UNKNOWN: error: there is no device configuration 'other'; there are part, far
// RUN: not ramiel-opt %s -p 'cluster-placed{configuration=part}' 2>&1 | filecheck %s --check-prefix PART
// PART: error: "b" (Cos) has no pipeline stage in the device configuration 'part'
// RUN: not ramiel-opt %s -p 'cluster-placed{configuration=far}' 2>&1 | filecheck %s --check-prefix FAR
// FAR: error: the model has a pipeline stage 2, which needs 3 workers; there are 2: give more with --workers
// RUN: not ramiel-opt %s -p 'cluster-placed{configuration=far workers=0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: error: workers must be 1 to 1024, not 0
// RUN: not ramiel-opt %s -p 'torch-assign-names,cluster-costs{ranks=2 threads=2},cluster-placed{configuration=far workers=4}' 2>&1 | filecheck %s --check-prefix RANKS
// RANKS: error: the model has a pipeline stage 2, which needs 3 ranks; there are 2: give more with --ranks
// RUN: sed 's/"part", //' %s > %t.mlir
// RUN: not ramiel-opt %t.mlir -p cluster-placed 2>&1 | filecheck %s --check-prefix COUNT
// COUNT: error: "a" (Relu) has 2 stage(s) for 1 device configuration(s)
// RUN: sed 's/"part", "far"//' %s > %t.mlir
// RUN: not ramiel-opt %t.mlir -p cluster-placed 2>&1 | filecheck %s --check-prefix NONE
// NONE: error: the model has no device configuration that says where nodes run

builtin.module attributes {onnx.configurations = ["part", "far"]} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> {
    %a = torch.call F.relu(%x) {torch.node = "a", torch.op = "Relu", torch.stages = array<i64: 0, 0>, cluster.cost = 10.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.cos(%a) {torch.node = "b", torch.op = "Cos", torch.stages = array<i64: -1, 2>, cluster.cost = 40.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    func.return %b : tensor<4xf32>
  }
}
