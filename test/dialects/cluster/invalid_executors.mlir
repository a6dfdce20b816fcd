// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// CHECK: there is no executor 'goroutines'; there are threads, processes, streams, distributed
cluster.program @p attributes {executor = "goroutines"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// CHECK: workers on the device cuda cannot be processes
cluster.program @p attributes {device = "cuda", executor = "processes"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// CHECK: workers on the device cpu cannot be streams
cluster.program @p attributes {executor = "streams"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}
