// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Workers that cannot run.

// Two that wait for each other.
// CHECK: 
cluster.program @p {
  cluster.channel value @a : tensor<4xf32>
  cluster.channel value @b : tensor<4xf32>
  cluster.worker 0 {
    %b = cluster.recv @b : tensor<4xf32>
    cluster.send @a %b : tensor<4xf32>
  }
  cluster.worker 1 {
    %a = cluster.recv @a : tensor<4xf32>
    cluster.send @b %a : tensor<4xf32>
  }
}

// -----

// One that waits for itself.
// CHECK: ???
cluster.program @p {
  cluster.channel value @a : tensor<4xf32>
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %a = cluster.recv @a : tensor<4xf32>
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @a %x : tensor<4xf32>
  }
}

// -----

// Numbers that leave one out.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// No worker.
// CHECK: ???
cluster.program @p {
}

// -----

// A value of another worker.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
  cluster.worker 1 {
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// A value before its definition.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// An operation of ONNX.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Something between the workers.
// CHECK: ???
cluster.program @p {
  %w = torch.weight "w" : tensor<4xf32>
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// A title that would be code.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.section 0 "a\0Aimport os" 1.0
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// A worker outside of a program.
// CHECK: ???
cluster.worker 0 {
}

// -----

// A channel in a worker.
// CHECK: ???
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.channel value @v : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// The generic form without its properties.
// CHECK: ???
"cluster.program"() ({
  "cluster.channel"() : () -> ()
}) : () -> ()
