// How a program computes requests that follow each other, by what its operations occupy.
// RUN: ramiel-opt %s -p cluster-serial,cluster-requests | filecheck %s --check-prefix SERIAL
// RUN: ramiel-opt %s -p 'cluster-serial,cluster-requests{workers=4}' | filecheck %s --check-prefix FOUR
// RUN: ramiel-opt %s -p 'cluster-serial{workers=2},cluster-requests' | filecheck %s --check-prefix WIDE
// RUN: ramiel-opt %s -p 'cluster-serial{workers=2},cluster-requests{workers=4}' | filecheck %s --check-prefix PAIRS
// RUN: ramiel-opt %s -p 'cluster-serial{workers=2 batch=3},cluster-requests' | filecheck %s --check-prefix BATCH
// RUN: ramiel-opt %s -p 'cluster-pipeline,cluster-requests{workers=4}' | filecheck %s --check-prefix STAYS
// RUN: ramiel-opt %s -p 'cluster-auto{objective=throughput}' | filecheck %s --check-prefix AUTO
// RUN: ramiel-opt %s -p 'cluster-auto{objective=throughput latency-limit=0.1}' | filecheck %s --check-prefix TIGHT
// RUN: ramiel-opt %s -p 'cluster-auto{objective=throughput latency-limit=0.08}' | filecheck %s --check-prefix LIMIT
// RUN: not ramiel-opt %s -p 'cluster-auto{objective=throughput latency-limit=0.01}' 2>&1 | filecheck %s --check-prefix SMALL
// RUN: not ramiel-opt %s -p 'cluster-auto{objective=throughput memory-limit=1}' 2>&1 | filecheck %s --check-prefix MEMORY
// RUN: not ramiel-opt %s -p cluster-requests 2>&1 | filecheck %s --check-prefix UNPLACED

// 100 µs on one thread, 60 on two.
func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> attributes {cluster.threads = array<i64: 2>} {
  %a = torch.call torch.cos(%x) {torch.names = ["a"], cluster.cost = 50.0 : f64, cluster.wide_cost = array<f64: 30.0>} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 50.0 : f64, cluster.wide_cost = array<f64: 30.0>} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %b : tensor<1x4xf32>
}

// SERIAL: cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
// FOUR: cluster.streaming = "serial", cluster.at_a_time = 4 : i64, cluster.in_flight = 5 : i64
// WIDE: cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
// PAIRS: cluster.streaming = "serial", cluster.at_a_time = 4 : i64, cluster.in_flight = 5 : i64
// BATCH: cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
// STAYS: cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64

// A request every 50 µs, each in flight for 150; with no request to spare, for 100; or one every 60 µs,
// each in flight for 60.
// AUTO: cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
// TIGHT: cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 2 : i64
// LIMIT: cluster.schedule = "intra-op"{{.*}}cluster.streaming = "calls", cluster.at_a_time = 1 : i64, cluster.in_flight = 1 : i64

// SMALL: error: a latency limit of 0.01 ms is too small: the least that a way to stream was found to take is 0.06 ms
// MEMORY: error: {{.*}}memory limit of 1 bytes
// UNPLACED: error: there is no placement: run a scheduler, as cluster-place, first
