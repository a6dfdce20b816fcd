// RUN: ramiel-opt %s --split-input-file -p 'cluster-streams{schedule=linear}' | filecheck %s --check-prefixes CHECK,LINEAR
// RUN: ramiel-opt %s --split-input-file -p 'cluster-streams{schedule=opara}' | filecheck %s --check-prefixes CHECK,OPARA
// RUN: ramiel-opt %s --split-input-file -p 'cluster-streams{schedule=list}' | filecheck %s --check-prefixes CHECK,LIST
// RUN: ramiel-opt %s --split-input-file -p cluster-streams | filecheck %s --check-prefixes CHECK,AUTO
// RUN: ramiel-opt %s --split-input-file -p 'cluster-streams{schedule=serial}' | filecheck %s --check-prefixes CHECK,SERIAL
// RUN: ramiel-opt %s --split-input-file -p 'cluster-streams{streams=1}' | filecheck %s --check-prefixes CHECK,SERIAL
// RUN: not ramiel-opt %s --split-input-file -p 'cluster-streams{schedule=fast}' 2>&1 | filecheck %s --check-prefix FAST
// FAST: error: there is no schedule 'fast' of streams; there are auto, serial, linear, list, opara
// RUN: not ramiel-opt %s --split-input-file -p 'cluster-streams{streams=0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: error: workers must be 1 to 1024, not 0
// RUN: not ramiel-opt %s --split-input-file -p 'cluster-costs,cluster-streams' 2>&1 | filecheck %s --check-prefix CPU
// CPU: error: there are no costs for a device: run cluster-costs{device=cuda}

// Three branches of small kernels, which fill little of the device: they run side by side. The
// critical path is stream 0; two clusters that follow each other share a stream where streams are
// merged, and Opara's rule opens one wherever a stream is taken. `auto` leaves out a third stream,
// which would gain nothing.
// CHECK-LABEL: func.func @branches
// LINEAR-SAME: cluster.schedule = "linear", cluster.placed_on = 3 : i64
// OPARA-SAME:  cluster.schedule = "opara", cluster.placed_on = 4 : i64
// LIST-SAME:   cluster.schedule = "list", cluster.placed_on = 2 : i64
// AUTO-SAME:   cluster.schedule = "linear, merged", cluster.placed_on = 2 : i64
// SERIAL-SAME: cluster.schedule = "serial", cluster.placed_on = 1 : i64
func.func @branches(%x: tensor<4xf32>) -> tensor<4xf32> attributes {cluster.device = "cuda", cluster.hand_over = 1.0 : f64} {
  // LINEAR: %a = torch.call torch.sin{{.*}}cluster.workers = [array<i64: 0>]
  // OPARA:  %a = torch.call torch.sin{{.*}}cluster.workers = [array<i64: 0>]
  %a = torch.call torch.sin(%x) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // LINEAR: %b = torch.call torch.cos{{.*}}cluster.workers = [array<i64: 1>]
  // OPARA:  %b = torch.call torch.cos{{.*}}cluster.workers = [array<i64: 0>]
  %b = torch.call torch.cos(%a) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // LINEAR: %c = torch.call torch.exp{{.*}}cluster.workers = [array<i64: 0>]
  // OPARA:  %c = torch.call torch.exp{{.*}}cluster.workers = [array<i64: 1>]
  %c = torch.call torch.exp(%a) {cluster.cost = 9.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // LINEAR: %d = torch.call torch.abs{{.*}}cluster.workers = [array<i64: 2>]
  // OPARA:  %d = torch.call torch.abs{{.*}}cluster.workers = [array<i64: 2>]
  %d = torch.call torch.abs(%a) {cluster.cost = 7.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // LINEAR: %e = torch.call operator.add{{.*}}cluster.workers = [array<i64: 0>]
  %e = torch.call operator.add(%b, %c) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %f = torch.call operator.add(%e, %d) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %g = torch.call torch.floor(%f) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %h = torch.call F.relu(%f) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %i = torch.call operator.add(%g, %h) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %i : tensor<4xf32>
}

// -----

// Kernels that fill the device: side by side they take twice as long, and one stream is enough.
// CHECK-LABEL: func.func @large
// AUTO-SAME: cluster.schedule = "serial", cluster.placed_on = 1 : i64
func.func @large(%x: tensor<4xf32>) -> tensor<4xf32> attributes {cluster.device = "cuda", cluster.hand_over = 1.0 : f64} {
  %a = torch.call torch.sin(%x) {cluster.cost = 50.0 : f64, cluster.share = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.cos(%x) {cluster.cost = 50.0 : f64, cluster.share = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call operator.add(%a, %b) {cluster.cost = 5.0 : f64, cluster.share = 0.1 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %c : tensor<4xf32>
}
