// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Each rule of what a program says of requests that follow each other, broken.

// Half of it.
// CHECK: error: cluster.program: streaming is given, but not at_a_time
cluster.program @p attributes {streaming = "serial"} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// Nothing is streamed in no time.
// CHECK: error: cluster.program: interval_us must be a time of at least 0
cluster.program @p attributes {streaming = "serial", at_a_time = 1 : i64, in_flight = 1 : i64, interval_us = -1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// A way that is not known.
// CHECK: error: cluster.program: there is no way "by chance" to stream; there are serial, calls, pipeline, batches
cluster.program @p attributes {streaming = "by chance", at_a_time = 1 : i64, in_flight = 1 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// Nothing at a time.
// CHECK: error: cluster.program: at_a_time must be a number of requests, at least 1
cluster.program @p attributes {streaming = "serial", at_a_time = 0 : i64, in_flight = 1 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// Fewer are taken than are computed.
// CHECK: error: cluster.program: 4 requests at a time, but 2 in flight
cluster.program @p attributes {streaming = "serial", at_a_time = 4 : i64, in_flight = 2 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// A batch that is not the program's.
// CHECK: error: cluster.program: batches of 2 requests in a program for 1 sample(s)
cluster.program @p attributes {streaming = "batches", at_a_time = 2 : i64, in_flight = 2 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// On cores that another request is on.
// CHECK: error: cluster.program: the workers of a pipeline compute one sample, each on one thread
cluster.program @p attributes {streaming = "pipeline", at_a_time = 2 : i64, in_flight = 2 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// -----

// On a GPU.
// CHECK: error: cluster.program: programs for cuda have no way to stream
cluster.program @p attributes {device = "cuda", streaming = "serial", at_a_time = 2 : i64, in_flight = 2 : i64, interval_us = 1.0 : f64, latency_us = 1.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @a : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}
