// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Workers that cannot run.

// Two that wait for each other.
// CHECK: error: cluster.program: deadlock: worker 1 waits for @a; worker 0 waits for @b
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
// CHECK: error: cluster.program: deadlock: worker 0 waits for @a
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
// CHECK: error: cluster.program: workers must be numbered 0, 1, ...; got [1]
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
// CHECK: error: cluster.program: workers must be numbered 0, 1, ...; got []
cluster.program @p {
}

// -----

// A value of another worker.
// CHECK: values used but not defined: [%x]
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
// CHECK: error: cluster.program: worker 0: cluster.send uses a value that is not computed there before, or is freed
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
// CHECK: error: cluster.worker: a worker cannot run onnx.Relu
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

// A title that would be code.
// CHECK: error: cluster.section: a title may only contain letters, digits, spaces and ._-,
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

// An operation of ONNX in a body.
// CHECK: error: torch.loop: a body cannot hold onnx.Relu
cluster.program @p {
  cluster.channel input @n : tensor<i64>
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %n = cluster.recv @n : tensor<i64>
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.loop(%n, %x) ({
    ^bb0(%step: tensor<i64>, %s: tensor<4xf32>):
      %t = onnx.Relu(%s) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %t : tensor<4xf32>
    }) {counted = true, conditional = false, states = 1 : i64} : (tensor<i64>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// More threads from within a body, on cores that nobody lends.
// CHECK: error: torch.if: a body cannot hold torch.threads
cluster.program @p {
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %c = cluster.recv @c : tensor<i1>
    torch.if(%c) ({
      torch.threads 2
      torch.yield
    }, {
      torch.yield
    }) : (tensor<i1>) -> ()
  }
}

// -----

// A body that waits for a turn.
// CHECK: error: cluster.wait: 'cluster.wait' expects parent op 'cluster.worker'
cluster.program @p {
  cluster.channel input @c : tensor<i1>
  cluster.channel turn @t
  cluster.worker 0 {
    %c = cluster.recv @c : tensor<i1>
    torch.if(%c) ({
      cluster.wait @t
      torch.yield
    }, {
      torch.yield
    }) : (tensor<i1>) -> ()
  }
  cluster.worker 1 {
    cluster.signal @t
  }
}

// -----

// The end of a body.
// CHECK: error: torch.yield: 'torch.yield' expects parent op to be one of 'torch.if', 'torch.loop'
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.yield %x : tensor<4xf32>
  }
}

// -----

// A weight that is freed: other workers and the next call need it.
// CHECK: error: torch.free: a weight cannot be freed
cluster.program @p {
  cluster.worker 0 {
    %w = torch.weight "w" : tensor<4xf32>
    torch.free %w : tensor<4xf32>
  }
}
