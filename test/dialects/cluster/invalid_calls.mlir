// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Rules of a schedule that the other files break without a call, broken around one.

// On two cores, before worker 0 waits for worker 1 within the stretch.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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

// Its value goes into an input.
// CHECK: error: cluster.program: the input channel @x must be sent 0 time(s), is 1
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @x %y : tensor<4xf32>
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
    %v = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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
    %a = torch.call F.relu(%b) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %a = cluster.recv @a : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @b %b : tensor<4xf32>
  }
}

// -----

// It reads a value before that is computed.
// CHECK: error: cluster.program: worker 0: torch.call uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// It reads a value that is freed.
// CHECK: error: cluster.program: worker 0: torch.call uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

// Its value is read after that is freed.
// CHECK: error: cluster.program: worker 0: torch.call uses a value that is not computed there before, or is freed
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    torch.free %a : tensor<4xf32>
    torch.free %a : tensor<4xf32>
  }
}
