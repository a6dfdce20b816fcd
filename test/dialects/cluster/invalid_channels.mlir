// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Channels that would lose a value or never carry one.

// Sent twice.
// CHECK: 
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
// CHECK: ???
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
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @x %x : tensor<4xf32>
  }
}

// -----

// Never received.
// CHECK: ???
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
// CHECK: ???
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
// CHECK: ???
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
// CHECK: ???
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
// CHECK: ???
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
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}

// -----

// A name that is no identifier.
// CHECK: ???
cluster.program @p {
  cluster.channel input @"x; import os" : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @"x; import os" : tensor<4xf32>
  }
}

// -----

// A keyword for a name.
// CHECK: ???
cluster.program @p {
  cluster.channel input @lambda : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @lambda : tensor<4xf32>
  }
}

// -----

// Another kind.
// CHECK: ???
cluster.program @p {
  cluster.channel secret @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}
