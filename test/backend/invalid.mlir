// RUN: ramiel-opt --split-input-file --verify-diagnostics %s -t pytorch | filecheck %s

// What is printed has names, and those are identifiers: text in a module is never code.
// CHECK: error: the program has no name: run torch-assign-names first
builtin.module attributes {torch.class = "C(Program): pass\0Aimport os #"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) {
    func.return
  }
  cluster.program @p attributes {schedule = "s", workers = 1 : i64, batch = 1 : i64, cores = 1 : i64, channels = 0 : i64, clusters = 1 : i64, clusters_before_merge = 1 : i64, serial_us = 1.0 : f64, parallel_us = 1.0 : f64, bound_us = 1.0 : f64} {
    cluster.worker 0 {
    }
  }
}

// -----

// CHECK: error: an input has no name: run torch-assign-names first
builtin.module attributes {torch.class = "C"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x=print(1)"}) {
    func.return
  }
  cluster.program @p attributes {schedule = "s", workers = 1 : i64, batch = 1 : i64, cores = 1 : i64, channels = 0 : i64, clusters = 1 : i64, clusters_before_merge = 1 : i64, serial_us = 1.0 : f64, parallel_us = 1.0 : f64, bound_us = 1.0 : f64} {
    cluster.worker 0 {
    }
  }
}

// -----

// CHECK: error: torch.call has no name: run torch-assign-names first
builtin.module attributes {torch.class = "C"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> {
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    func.return %y : tensor<4xf32>
  }
  cluster.program @p {
    cluster.worker 0 {
    }
  }
}

// -----

// CHECK: error: the schedule does not say its
builtin.module attributes {torch.class = "C"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "x"}) {
    func.return
  }
  cluster.program @p {
    cluster.worker 0 {
    }
  }
}

// -----

// CHECK: error: there is no schedule to print: run cluster-channels first
builtin.module {
  func.func @main(%x: tensor<4xf32>) {
    func.return
  }
}
