// RUN: ramiel-opt %s --split-input-file -p cluster-channels | filecheck %s
// RUN: ramiel-opt %s --split-input-file -p cluster-channels | ramiel-opt --split-input-file | filecheck %s

// Two branches on two workers. What crosses goes through a channel, received right before its
// first use; weights are everybody's; the function stays.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64} {
  %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
  %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.id = 1 : i64, cluster.lane = 0 : i64, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 3>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      func.func @main
// CHECK-NOT:  torch.threads
// CHECK:      cluster.program @main_parallel attributes {schedule = "by hand", clusters_before_merge = 2 : i64, clusters = 1 : i64, batch = 1 : i64, workers = 2 : i64, cores = 2 : i64, channels = 2 : i64, serial_us = 8.200000e+02 : f64, parallel_us = 5.200000e+02 : f64, critical_path_us = 5.200000e+02 : f64, bound_us = 5.200000e+02 : f64, memory_bytes = 80 : i64} {
// CHECK-NEXT:   cluster.channel input @x : tensor<4xf32>
// CHECK-NEXT:   cluster.channel value @a : tensor<4xf32>
// CHECK-NEXT:   cluster.channel value @b : tensor<4xf32>
// CHECK-NEXT:   cluster.channel output @d : tensor<8xf32>
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     cluster.section 0 "a to d" 520.0
// CHECK-NEXT:     %x = cluster.recv @x
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.id = 0 : i64}
// CHECK-NEXT:     cluster.send @a %a : tensor<4xf32>
// CHECK-NEXT:     %c = torch.call torch.sin(%a)
// CHECK-NEXT:     %b = cluster.recv @b
// CHECK-NEXT:     %d = torch.call torch.cat([%b, %c], dim = 0)
// CHECK-NEXT:     cluster.send @d %d : tensor<8xf32>
// CHECK-NEXT:   }
// CHECK-NEXT:   cluster.worker 1 {
// CHECK-NEXT:     cluster.section 1 "b" 300.0
// CHECK-NEXT:     %a = cluster.recv @a
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %b = torch.call operator.add(%a, %w)
// CHECK-NEXT:     cluster.send @b %b : tensor<4xf32>
// CHECK-NEXT:   }
// CHECK-NEXT: }

// -----

// A worker sends its output early: who sends it still receives nothing, who reads it does. An
// input and a weight that are outputs have channels; worker 0 sends the weight.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64} {
  %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
  %a = torch.call F.relu(%x) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 10.0 : f64, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %a, %w, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK:      cluster.program @main_parallel{{.*}}clusters_before_merge = 0 : i64, clusters = 0 : i64
// CHECK-NEXT:   cluster.channel input @x : tensor<4xf32>
// CHECK-NEXT:   cluster.channel output @a : tensor<4xf32>
// CHECK-NEXT:   cluster.channel output @w : tensor<4xf32>
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     %a = cluster.recv @a
// CHECK-NEXT:     %b = torch.call torch.sin(%a)
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     cluster.send @w %w : tensor<4xf32>
// CHECK-NEXT:   }
// CHECK-NEXT:   cluster.worker 1 {
// CHECK-NEXT:     %x = cluster.recv @x
// CHECK-NEXT:     %a = torch.call F.relu(%x)
// CHECK-NEXT:     cluster.send @a %a : tensor<4xf32>
// CHECK-NEXT:   }

// -----

// The first and the fourth operation run on two threads. Worker 1 gets its core back by a turn,
// as no value of %a tells it, and gives it up by another. The serial program has the same numbers
// of threads. A turn avoids the names that the model has.
func.func @main(%x: tensor<4xf32> {torch.name = "turn_1"}) -> tensor<4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>, cluster.hand_over = 10.0 : f64, cluster.switch = 5.0 : f64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.wide_cost = array<f64: 160.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.cos(%x) {torch.names = ["c"], cluster.cost = 200.0 : f64, cluster.wide_cost = array<f64: 110.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.tan(%b) {torch.names = ["d"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 3>} : (tensor<4xf32>) -> tensor<4xf32>
  %e = torch.call operator.add(%c, %d) {torch.names = ["e"], cluster.cost = 10.0 : f64, cluster.wide_cost = array<f64: 10.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 4>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %e : tensor<4xf32>
}

// 5 to switch, 60 for %a, 5 and 300 for %b, 5 and 60 for %d, 5 and 10 for %e.
// CHECK:      func.func @main
// CHECK-NEXT:   torch.threads 2
// CHECK-NEXT:   %a = torch.call torch.exp
// CHECK-NEXT:   torch.threads 1
// CHECK-NEXT:   %b = torch.call torch.sin
// CHECK-NEXT:   %c = torch.call torch.cos
// CHECK-NEXT:   torch.threads 2
// CHECK-NEXT:   %d = torch.call torch.tan
// CHECK-NEXT:   torch.threads 1
// CHECK-NEXT:   %e = torch.call operator.add
// CHECK:      workers = 2 : i64, cores = 2 : i64, channels = 1 : i64, serial_us = 7.100000e+02 : f64, parallel_us = 4.500000e+02 : f64
// CHECK:        cluster.channel value @c : tensor<4xf32>
// CHECK-NEXT:   cluster.channel output @e : tensor<4xf32>
// CHECK-NEXT:   cluster.channel turn @turn_2
// CHECK-NEXT:   cluster.channel turn @turn_3
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     %x = cluster.recv @turn_1
// CHECK-NEXT:     torch.threads 2 {cluster.reserves = array<i64: 1>}
// CHECK-NEXT:     %a = torch.call torch.exp
// CHECK-NEXT:     cluster.signal @turn_2
// CHECK-NEXT:     torch.threads 1
// CHECK-NEXT:     %b = torch.call torch.sin
// CHECK-NEXT:     cluster.wait @turn_3
// CHECK-NEXT:     torch.threads 2 {cluster.reserves = array<i64: 1>}
// CHECK-NEXT:     %d = torch.call torch.tan
// CHECK-NEXT:     %c = cluster.recv @c
// CHECK-NEXT:     torch.threads 1
// CHECK-NEXT:     %e = torch.call operator.add
// CHECK-NEXT:     cluster.send @e %e
// CHECK-NEXT:   }
// CHECK-NEXT:   cluster.worker 1 {
// CHECK-NEXT:     %x = cluster.recv @turn_1
// CHECK-NEXT:     cluster.wait @turn_2
// CHECK-NEXT:     %c = torch.call torch.cos
// CHECK-NEXT:     cluster.send @c %c
// CHECK-NEXT:     cluster.signal @turn_3
// CHECK-NEXT:   }

// -----

// Worker 1 leads, 2 only lends its core, and 0 has nothing to do: the one that leads becomes worker
// 0, and the next number, which no worker has, is the core that is lent. No turn is needed.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 3 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 1, 2>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 1, 2>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}

// CHECK:      func.func @main
// CHECK-NEXT:   torch.threads 2
// CHECK-NEXT:   %a = torch.call
// CHECK-NEXT:   %b = torch.call
// CHECK:      workers = 1 : i64, cores = 2 : i64, channels = 0 : i64
// CHECK-NEXT:   cluster.channel input @x
// CHECK-NEXT:   cluster.channel output @b
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     %x = cluster.recv @x
// CHECK-NEXT:     torch.threads 2 {cluster.reserves = array<i64: 1>}
// CHECK-NEXT:     %a = torch.call torch.exp
// CHECK-NEXT:     %b = torch.call torch.sin
// CHECK-NEXT:     cluster.send @b %b
// CHECK-NEXT:   }
// CHECK-NEXT: }

// -----

// A batch of two: the second sample has the workers the other way round. Each name has the
// number of its sample; a weight is fetched once by each worker.
func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64} {
  %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
  %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 0, 1>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 20.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 1>, array<i64: 0>], cluster.position = array<i64: 2, 3>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  func.return %b : tensor<1x4xf32>
}

// CHECK:      cluster.program @main_parallel{{.*}}batch = 2 : i64, workers = 2 : i64, cores = 2 : i64, channels = 2 : i64, serial_us = 6.000000e+01 : f64, parallel_us = 3.100000e+01 : f64
// CHECK-NEXT:   cluster.channel input @x_0 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.channel value @a_0 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.channel output @b_0 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.channel input @x_1 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.channel value @a_1 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.channel output @b_1 : tensor<1x4xf32>
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     cluster.section 0 "a to b, samples 0 and 1" 30.0
// CHECK-NEXT:     %x = cluster.recv @x_0 {torch.names = ["x_0"]}
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %a = torch.call operator.mul(%x, %w) {torch.names = ["a_0"]
// CHECK-NEXT:     cluster.send @a_0 %a
// CHECK-NEXT:     %a_1 = cluster.recv @a_1 {torch.names = ["a_1"]}
// CHECK-NEXT:     %b = torch.call operator.add(%a_1, %w) {torch.names = ["b_1"]
// CHECK-NEXT:     cluster.send @b_1 %b
// CHECK-NEXT:   }
// CHECK-NEXT:   cluster.worker 1 {
// CHECK-NEXT:     cluster.section 0 "a to b, samples 0 and 1" 30.0
// CHECK-NEXT:     %x = cluster.recv @x_1 {torch.names = ["x_1"]}
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %a = torch.call operator.mul(%x, %w) {torch.names = ["a_1"]
// CHECK-NEXT:     cluster.send @a_1 %a
// CHECK-NEXT:     %a_1 = cluster.recv @a_0 {torch.names = ["a_0"]}
// CHECK-NEXT:     %b = torch.call operator.add(%a_1, %w) {torch.names = ["b_0"]
// CHECK-NEXT:     cluster.send @b_0 %b
// CHECK-NEXT:   }
// CHECK-NEXT: }
