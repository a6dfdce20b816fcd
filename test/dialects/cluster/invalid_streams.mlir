// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Schedules that would race, or that a device with streams cannot run.

// A wait that is missing: a stream uses a value of another one.
// CHECK: values used but not defined: [%a]
cluster.program @p attributes {device = "cuda"} {
  cluster.channel value @a : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %a = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %y = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// A wait that comes too late.
// CHECK: error: cluster.program: worker 1: torch.call uses a value that is not computed there before, or is freed
"cluster.program"() ({
  "cluster.channel"() {kind = "value", sym_name = "a", type = tensor<4xf32>} : () -> ()
  "cluster.channel"() {kind = "output", sym_name = "y", type = tensor<4xf32>} : () -> ()
  cluster.worker 0 {
    %a = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %y = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %a = cluster.recv @a : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}) {sym_name = "p", device = "cuda"} : () -> ()

// -----

// Streams that wait for each other: CUDA cannot even record that.
// CHECK: error: cluster.program: deadlock: worker 1 waits for @a; worker 0 waits for @b
cluster.program @p attributes {device = "cuda"} {
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

// A number of threads.
// CHECK: error: cluster.program: worker 0 is a stream, which has no threads
cluster.program @p attributes {device = "cuda"} {
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    torch.threads 1
    %y = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// -----

// Another kind of device.
// CHECK: error: cluster.program: there is no kind of device 'tpu': cpu or cuda
cluster.program @p attributes {device = "tpu"} {
  cluster.worker 0 {
  }
}
