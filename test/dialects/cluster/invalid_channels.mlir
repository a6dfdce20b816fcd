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
// CHECK: error: cluster.program: no worker receives @v
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
// CHECK: error: cluster.program: unknown channel @z
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
// CHECK: error: cluster.program: Redefinition of symbol "x"
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}

// -----

// A name that is no identifier.
// CHECK: error: cluster.channel: 'x; import os' is not a Python identifier
cluster.program @p {
  cluster.channel input @"x; import os" : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @"x; import os" : tensor<4xf32>
  }
}

// -----

// A keyword for a name.
// CHECK: error: cluster.channel: 'lambda' is not a Python identifier
cluster.program @p {
  cluster.channel input @lambda : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @lambda : tensor<4xf32>
  }
}

// -----

// A turn that carries a value.
// CHECK: error: cluster.channel: a channel must have a type, unless it is a turn
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
  }
}


// -----

// A value of no type.
// CHECK: error: cluster.channel: a channel must have a type, unless it is a turn
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @v %x : tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %v = cluster.recv @v : tensor<4xf32>
  }
}


// -----

// A turn that nobody waits for.
// CHECK: error: cluster.program: no worker receives @t
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
  }
}


// -----

// A turn that never comes.
// CHECK: error: cluster.program: the turn channel @t must be sent 1 time(s), is 0
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
  }
}


// -----

// A turn that comes twice.
// CHECK: error: cluster.program: the turn channel @t must be sent 1 time(s), is 2
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
    cluster.signal @t
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
  }
}


// -----

// A value sent as a turn.
// CHECK: error: cluster.program: @t carries nothing, not tensor<4xf32>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @t %x : tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
  }
}


// -----

// A turn received as a value.
// CHECK: error: cluster.program: @t carries nothing, not tensor<4xf32>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %t = cluster.recv @t : tensor<4xf32>
  }
}


// -----

// A value waited for as a turn.
// CHECK: error: cluster.program: @v carries tensor<4xf32>, not nothing
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @v %x : tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @v
  }
}


// -----

// Turns that wait for each other.
// CHECK: error: cluster.program: deadlock: worker 1 waits for @s; worker 0 waits for @t
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @s
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    cluster.signal @s
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @s
    cluster.signal @t
  }
}


// -----

// A wait for no channel.
// CHECK: error: cluster.program: unknown channel @t
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
  }
}


// -----

// A wait without a channel.
// CHECK: error: cluster.wait: property 'channel' expected in operation 'cluster.wait'
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    "cluster.wait"() : () -> ()
  }
}


// -----

// A wait with a value.
// CHECK: error: cluster.wait: Expected 0 operands, but got 1
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    "cluster.wait"(%x) <{channel = "t"}> : (tensor<4xf32>) -> ()
  }
}


// -----

// A send of two values.
// CHECK: error: cluster.send: Expected 1 operand, but got 2
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    "cluster.send"(%x, %x) <{channel = "v"}> : (tensor<4xf32>, tensor<4xf32>) -> ()
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %v = cluster.recv @v : tensor<4xf32>
  }
}


// -----

// What one worker takes, nobody else can have.
// CHECK: error: cluster.program: the value channel @v cannot be taken: others need it
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.send @v %x : tensor<4xf32>
  }
  cluster.worker 1 {
    %v = cluster.recv @v {cluster.takes} : tensor<4xf32>
  }
  cluster.worker 2 {
    %v = cluster.recv @v : tensor<4xf32>
  }
}

// -----

// An input belongs to the caller.
// CHECK: error: cluster.program: the input channel @x cannot be taken: others need it
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x {cluster.takes} : tensor<4xf32>
  }
}
