// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Two operations that could use one core at a time.

// Worker 1 computes while worker 0 has its core.
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
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// It waits until worker 0 begins, not until it is done.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    %c = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// Worker 0 does not wait until worker 1 is done.
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
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// It gets its core back in the midst of a stretch.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    %c = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// The stretch goes on after a number of threads that is the same.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @t
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @t
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @t
    %c = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// A third worker's turn is no news of worker 1.
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
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 2 {
    %x = cluster.recv @x : tensor<4xf32>
    cluster.signal @t
  }
}


// -----

// Two that lend each other their cores at one time.
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
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
}


// -----

// Two that use the core of a third, which computes nothing, at one time.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 2>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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

// Two that use a core that no worker has at one time.
// CHECK: error: cluster.program: worker 1 may compute while worker 0 runs on its core
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 9>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 9>}
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
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
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// More cores than threads.
// CHECK: error: cluster.program: worker 0: 1 thread(s) with 1 lent core(s)
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 1 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// Threads without cores.
// CHECK: error: cluster.program: worker 0: 2 thread(s) with 0 lent core(s)
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// Cores that are no numbers.
// CHECK: error: cluster.program: worker 0: 2 thread(s) with 0 lent core(s)
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<f64: 1.0>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// Cores that are no list.
// CHECK: error: cluster.program: worker 0: 2 thread(s) with 0 lent core(s)
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = "1"}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// Its own core.
// CHECK: error: cluster.program: worker 0 reserves a core twice, or its own: [0]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}


// -----

// One core twice.
// CHECK: error: cluster.program: worker 0 reserves a core twice, or its own: [1, 1]
cluster.program @p {
  cluster.channel input @x : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 3 {cluster.reserves = array<i64: 1, 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
  }
}
