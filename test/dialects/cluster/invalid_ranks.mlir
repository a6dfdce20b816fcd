// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// CHECK: worker 1 has no rank
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 {}
}

// -----

// CHECK: workers that are threads have no ranks
cluster.program @p {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// CHECK: ranks must be numbered 0, 1, ...; got [0, 2]
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 rank 2 {}
}

// -----

// CHECK: @t cannot cross from rank 0 to rank 1: a turn is no tensor of numbers
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.signal @t
  }
  cluster.worker 1 rank 1 {
    cluster.wait @t
  }
}

// -----

// CHECK: @x cannot cross from rank 0 to rank 1: tensor<4x!onnx.string> is no tensor of numbers
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel input @x : tensor<4x!onnx.string>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 rank 1 {
    %x = cluster.recv @x : tensor<4x!onnx.string>
  }
}

// -----

// CHECK: @x cannot cross from rank 0 to rank 1: !onnx.seq<tensor<4xf32>> is no tensor of numbers
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel input @x : !onnx.seq<tensor<4xf32>>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 rank 1 {
    %x = cluster.recv @x : !onnx.seq<tensor<4xf32>>
  }
}

// -----

// CHECK: worker 0 of rank 0 reserves core 1, which is of rank 1
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 rank 1 {}
}
