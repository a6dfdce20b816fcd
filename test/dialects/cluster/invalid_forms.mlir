// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// What is no program at all.

// A channel of another kind.
// CHECK: Expected one of 'input', 'output', 'turn', 'value'
cluster.program @p {
  cluster.channel secret @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}

// -----

// A channel without properties.
// CHECK: error: cluster.channel: property 'kind' expected in operation 'cluster.channel'
"cluster.program"() <{sym_name = "p"}> ({
  "cluster.channel"() : () -> ()
}) : () -> ()

// -----

// A program without properties.
// CHECK: error: cluster.program: property 'sym_name' expected in operation 'cluster.program'
"cluster.program"() ({
  "cluster.worker"() <{number = 0 : i64}> ({
  ^bb0:
  }) : () -> ()
}) : () -> ()

// -----

// A program without a block.
// CHECK: error: cluster.program: Region 'body' at position 0 expected a single block, but got 0 blocks
"cluster.program"() <{sym_name = "p"}> ({}) : () -> ()

// -----

// A worker with an argument.
// CHECK: error: cluster.worker: Region 'body' at position 0 entry arguments do not verify: incorrect length for range variable:
"cluster.program"() <{sym_name = "p"}> ({
  "cluster.worker"() <{number = 0 : i64}> ({
  ^bb0(%x: i64):
  }) : () -> ()
}) : () -> ()

// -----

// A send of nothing where a value is expected.
// CHECK: error: cluster.send: Expected 1 operand, but got 0
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    "cluster.send"() <{channel = "y"}> : () -> ()
  }
}

// -----

// A section without a title.
// CHECK: error: cluster.section: property 'cluster' expected in operation 'cluster.section'
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    "cluster.section"() : () -> ()
  }
}

// -----

// A worker outside of a program.
// CHECK: error: cluster.worker: 'cluster.worker' expects parent op 'cluster.program'
cluster.worker 0 {
}

// -----

// A channel in a worker.
// CHECK: error: cluster.channel: 'cluster.channel' expects parent op 'cluster.program'
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

// Something between the workers.
// CHECK: error: cluster.program: a program holds only channels and workers, not torch.weight
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
