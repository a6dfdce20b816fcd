// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Channels that would lose a value or never carry one.

// Sent twice.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 2
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Never sent.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 0
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Sent by a worker, though it is an input.
// CHECK: error: cluster.program: the input channel @x must be sent 0 time(s), is 1
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @x %x : tensor<4xf32>
  }
}

// -----

// Never received.
// CHECK: error: cluster.program: nobody receives @v
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.send @v %y : tensor<4xf32>
  }
}

// -----

// Received twice by a worker.
// CHECK: error: cluster.program: worker 0 receives @x twice
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %x2 = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Received as another type.
// CHECK: error: cluster.program: @x carries tensor<4xf32>, not tensor<5xf32>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<5xf32>
    %y = torch.call F.relu(%x) : (tensor<5xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Sent as another type.
// CHECK: error: cluster.program: @y carries tensor<4xf32>, not tensor<4xf16>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf16>
    cluster.send @y %y : tensor<4xf16>
  }
}

// -----

// Unknown.
// CHECK: error: cluster.program: there is no channel @z
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.send @z %y : tensor<4xf32>
  }
}

// -----

// Two of a name.
// CHECK: error: cluster.program: two channels have the same name
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}

// -----

// A name that is no identifier.
// CHECK: error: cluster.program: 'x; import os' is no Python identifier
cluster.program @p {
  cluster.channel input @"x; import os" : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @"x; import os" : tensor<4xf32>
  }
}

// -----

// A keyword for a name.
// CHECK: error: cluster.program: 'lambda' is no Python identifier
cluster.program @p {
  cluster.channel input @lambda : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @lambda : tensor<4xf32>
  }
}
