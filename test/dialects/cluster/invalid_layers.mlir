// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Each rule of a schedule, broken around a layer.

// On a core while worker 0 has it.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// On two cores while worker 1 computes.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// On two cores, before worker 0 waits for worker 1 within the stretch.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.wait @t
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %d = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
  }
}

// -----

// The last one of a stretch, in which the core goes back too early.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
    %b = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    %d = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It comes after the turn that says that its worker is done.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
    %b = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Two on each other's core.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %b = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Two on the core of a third worker.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 2>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 2>}
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 2 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}

// -----

// More threads than cores.
// CHECK: error: cluster.program: worker 0: 3 thread(s) with 1 lent core(s)
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 3 {cluster.reserves = array<i64: 1>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It reserves the core that it is on.
// CHECK: error: cluster.program: worker 0 reserves a core twice, or its own: [0]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value goes into a channel that there is not.
// CHECK: error: cluster.program: unknown channel @z
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @z %a : tensor<4xf32>
  }
}

// -----

// Its value is of another type than the channel.
// CHECK: error: cluster.program: @y carries tensor<4xf32>, not tensor<4xf16>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf16>
    cluster.send @y %y : tensor<4xf16>
  }
}

// -----

// Its value is never sent.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 0
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is sent twice.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 2
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Its value goes into an input.
// CHECK: error: cluster.program: the input channel @x must be sent 0 time(s), is 1
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @x %y : tensor<4xf32>
  }
}

// -----

// Nobody receives its value.
// CHECK: error: cluster.program: no worker receives @v
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %v = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @v %v : tensor<4xf32>
  }
}

// -----

// Its operand is received twice.
// CHECK: error: cluster.program: worker 0 receives @x twice
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %x2 = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x2) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is taken, and another worker needs it.
// CHECK: error: cluster.program: the value channel @v cannot be taken: others need it
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %v = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @v %v : tensor<4xf32>
  }
  cluster.worker 1 {
    %v = cluster.recv @v {cluster.takes} : tensor<4xf32>
  }
  cluster.worker 2 {
    %v = cluster.recv @v : tensor<4xf32>
  }
}

// -----

// Each of two waits for the other's value.
// CHECK: error: cluster.program: deadlock: worker 1 waits for @a; worker 0 waits for @b
cluster.program @p {
  cluster.channel value @a : tensor<4xf32>
  cluster.channel value @b : tensor<4xf32>
  cluster.worker 0 {
    %b = cluster.recv @b : tensor<4xf32>
    %a = torch.layer Linear(%b) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %a = cluster.recv @a : tensor<4xf32>
    %b = torch.layer Linear(%a) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @b %b : tensor<4xf32>
  }
}

// -----

// It reads a value before that is computed.
// CHECK: error: cluster.program: worker 0: torch.layer uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.layer Linear(%a) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It reads a value that is freed.
// CHECK: error: cluster.program: worker 0: torch.layer uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    %b = torch.layer Linear(%a) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is read after that is freed.
// CHECK: error: cluster.program: worker 0: torch.call uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is sent after that is freed.
// CHECK: error: cluster.program: worker 0: cluster.send uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Its value is freed twice.
// CHECK: error: cluster.program: worker 0: torch.free uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    torch.free %a : tensor<4xf32>
  }
}

// -----

// It reads a value of another worker.
// CHECK: values used but not defined: [%a]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %b = torch.layer Linear(%a) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  }
}
