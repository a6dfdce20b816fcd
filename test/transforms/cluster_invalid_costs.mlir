// RUN: ramiel-opt %s --split-input-file --verify-diagnostics -p cluster-serial | filecheck %s

// Costs that were damaged, or written by hand without care: every scheduler refuses them.

// A time below 0.
// CHECK: error: the costs are not valid: task 0 has cost -1.0: not a finite number >= 0
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = -1.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// The same on two threads.
// CHECK: error: the costs are not valid: task 0 has cost -3.0 on 2 threads
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 1.0 : f64, cluster.wide_cost = array<f64: -3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// No number.
// CHECK: error: the costs are not valid: task 0 has cost nan
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 0x7FF8000000000000 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A cost that is no time.
// CHECK: error: torch.call has no cost: run cluster-costs first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = "much", cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Fewer costs than numbers of threads.
// CHECK: error: torch.call needs 1 costs on more threads: run cluster-costs
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 1.0 : f64, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// Costs on no threads.
// CHECK: error: the costs are not valid
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 0>} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A hand-over before its start.
// CHECK: error: the costs are not valid: hand_over is -1.0: not a finite number >= 0
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>, cluster.hand_over = -1.0 : f64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A switch that never ends.
// CHECK: error: the costs are not valid: switch is inf: not a finite number >= 0
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>, cluster.switch = 0x7FF0000000000000 : f64} {
  %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// What was not lowered.
// CHECK: error: onnx.Exp cannot be scheduled: run onnx-to-torch first
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<4xf32> attributes {cluster.schedule = "s", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>} {
  %a = onnx.Exp(%x) {torch.names = ["a"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 5.0 : f64, cluster.wide_cost = array<f64: 3.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}


// -----

// A function with branches.
// CHECK: error: expected a function of one block, without branches
func.func @main(%x: tensor<4xf32>) {
  cf.br ^bb1
^bb1:
  func.return
}
