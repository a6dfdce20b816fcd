// RUN: ramiel-opt %s --split-input-file --verify-diagnostics -p cluster-channels | filecheck %s

// Placements that were damaged, or written by hand without care.

// No sample at all.
// CHECK: error: operations are placed for batches of different sizes
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [], cluster.position = array<i64>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// No worker.
// CHECK: error: an operation's workers and positions do not match
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Workers of another kind: text.
// CHECK: error: an operation's workers and positions do not match
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = ["0"], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A number instead of a list of lists.
// CHECK: error: an operation is not placed: run a scheduler, as cluster-place, first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = 0 : i64, cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A list instead of a list of lists.
// CHECK: error: an operation is not placed: run a scheduler, as cluster-place, first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = array<i64: 0>, cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Halves of workers.
// CHECK: error: an operation's workers and positions do not match
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<f64: 0.5>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Half a position.
// CHECK: error: an operation's workers and positions do not match
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<f64: 0.5>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// No position.
// CHECK: error: an operation is not placed: run a scheduler, as cluster-place, first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>]} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// More positions than samples.
// CHECK: error: an operation's workers and positions do not match
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A batch of two, where the other operation has one of one.
// CHECK: error: operations are placed for batches of different sizes
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A batch of a model that takes no samples.
// CHECK: error: input 0 is 4: a batch needs a model whose inputs and outputs have a first dimension of 1
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 2, 3>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A batch of none.
// CHECK: error: a batch must be 1 to 1024 samples, not 0
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [], cluster.position = array<i64>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [], cluster.position = array<i64>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A worker below the first.
// CHECK: error: an operation is placed on worker -1
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: -1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A worker beyond the last.
// CHECK: error: an operation is placed on worker 2
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1, 2>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A worker far beyond the last.
// CHECK: error: an operation is placed on worker 9223372036854775807
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 9223372036854775807>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A worker twice.
// CHECK: error: the placement cannot run: task 0 is placed twice
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 0>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Positions by which an operation waits for one that comes after it.
// CHECK: error: the placement cannot run: deadlock: workers are blocked forever at tasks 0, 1
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 9>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// The same on one worker, with positions below 0.
// CHECK: error: the placement cannot run: deadlock
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 7>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: -7>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// More threads than there are costs for.
// CHECK: error: the placement cannot run: there are no costs on 2 threads
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A schedule without a name.
// CHECK: error: there is no placement: run a scheduler, as cluster-place, first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = 1 : i64, cluster.placed_on = 2 : i64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A schedule for no workers.
// CHECK: error: workers must be 1 to 1024, not 0
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 0 : i64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A schedule for more workers than there may be.
// CHECK: error: workers must be 1 to 1024, not 1000000000000
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 1000000000000 : i64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A schedule for half a worker.
// CHECK: error: there is no placement
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 0.5 : f64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}
