// RUN: ramiel-opt %s | ramiel-opt | filecheck %s

// What is said of requests that follow each other is part of the program.
// CHECK: cluster.program @p attributes {streaming = "pipeline", at_a_time = 2 : i64, in_flight = 3 : i64, interval_us = 5.000000e+01 : f64, latency_us = 1.500000e+02 : f64}
cluster.program @p attributes {streaming = "pipeline", at_a_time = 2 : i64, in_flight = 3 : i64, interval_us = 50.0 : f64, latency_us = 150.0 : f64} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @a : tensor<4xf32>
  cluster.channel output @b : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 {
    %a = cluster.recv @a : tensor<4xf32>
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @b %b : tensor<4xf32>
  }
}
