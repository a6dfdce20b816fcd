// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Each rule of a schedule, broken around a branch.

// On a core while worker 0 has it.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %b = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// On two cores while worker 1 computes.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
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
  cluster.channel input @c : tensor<i1>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
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
  cluster.channel input @c : tensor<i1>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
    %b = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
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
  cluster.channel input @c : tensor<i1>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    cluster.signal @t
    %b = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Two on each other's core.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %b = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Two on the core of a third worker.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 2>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
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
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 3 {cluster.reserves = array<i64: 1>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It reserves the core that it is on.
// CHECK: error: cluster.program: worker 0 reserves a core twice, or its own: [0]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value goes into a channel that there is not.
// CHECK: error: cluster.program: unknown channel @z
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @z %a : tensor<4xf32>
  }
}

// -----

// Its value is of another type than the channel.
// CHECK: error: cluster.program: @y carries tensor<4xf32>, not tensor<4xf16>
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %y = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf16>
      torch.yield %q : tensor<4xf16>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf16>
      torch.yield %s : tensor<4xf16>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf16>
    cluster.send @y %y : tensor<4xf16>
  }
}

// -----

// Its value is never sent.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 0
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %y = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is sent twice.
// CHECK: error: cluster.program: the output channel @y must be sent 1 time(s), is 2
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %y = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Its value goes into an input.
// CHECK: error: cluster.program: the input channel @x must be sent 0 time(s), is 1
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %y = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @x %y : tensor<4xf32>
  }
}

// -----

// Nobody receives its value.
// CHECK: error: cluster.program: no worker receives @v
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %v = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @v %v : tensor<4xf32>
  }
}

// -----

// Its operand is received twice.
// CHECK: error: cluster.program: worker 0 receives @x twice
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %x2 = cluster.recv @x : tensor<4xf32>
    %y = torch.if(%c, %x2) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is taken, and another worker needs it.
// CHECK: error: cluster.program: the value channel @v cannot be taken: others need it
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel value @v : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %v = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
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
  cluster.channel input @c : tensor<i1>
  cluster.channel value @a : tensor<4xf32>
  cluster.channel value @b : tensor<4xf32>
  cluster.worker 0 {
    %c = cluster.recv @c : tensor<i1>
    %b = cluster.recv @b : tensor<4xf32>
    %a = torch.if(%c, %b) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %c = cluster.recv @c : tensor<i1>
    %a = cluster.recv @a : tensor<4xf32>
    %b = torch.if(%c, %a) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    cluster.send @b %b : tensor<4xf32>
  }
}

// -----

// It reads a value before that is computed.
// CHECK: error: cluster.program: worker 0: torch.if uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %b = torch.if(%c, %a) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It reads a value that is freed.
// CHECK: error: cluster.program: worker 0: torch.if uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    %b = torch.if(%c, %a) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is read after that is freed.
// CHECK: error: cluster.program: worker 0: torch.call uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is sent after that is freed.
// CHECK: error: cluster.program: worker 0: cluster.send uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %y = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    torch.free %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Its value is freed twice.
// CHECK: error: cluster.program: worker 0: torch.free uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %c = cluster.recv @c : tensor<i1>
    %a = torch.if(%c, %x) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    torch.free %a : tensor<4xf32>
  }
}

// -----

// It reads a value of another worker.
// CHECK: values used but not defined: [%a]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel input @c : tensor<i1>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %c = cluster.recv @c : tensor<i1>
    %b = torch.if(%c, %a) ({
    ^bb0(%p: tensor<4xf32>):
      %q = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %q : tensor<4xf32>
    }, {
    ^bb1(%r: tensor<4xf32>):
      %s = torch.call torch.exp(%r) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %s : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}
