// What workers are: threads, if nothing is said, or processes.
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s

// CHECK: cluster.program @threads {
cluster.program @threads {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// CHECK: cluster.program @processes attributes {executor = "processes"} {
cluster.program @processes attributes {executor = "processes"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}
