// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Numbers of threads that cannot be, and what cannot be freed.

// No thread.
// CHECK: error: torch.threads: expected 1 thread or more
func.func @main(%x: tensor<4xf32>) {
  torch.threads 0
  func.return
}


// -----

// Less than none.
// CHECK: error: torch.threads: expected 1 thread or more
func.func @main(%x: tensor<4xf32>) {
  "torch.threads"() <{count = -2 : i64}> : () -> ()
  func.return
}


// -----

// A number that no integer of 64 bits is.
// CHECK: out of range
func.func @main(%x: tensor<4xf32>) {
  torch.threads 100000000000000000000
  func.return
}


// -----

// A name.
// CHECK: Expected integer literal
func.func @main(%x: tensor<4xf32>) {
  torch.threads two
  func.return
}


// -----

// Nothing.
// CHECK: error: torch.threads: property 'count' expected in operation 'torch.threads'
func.func @main(%x: tensor<4xf32>) {
  "torch.threads"() : () -> ()
  func.return
}


// -----

// A text.
// CHECK: error: torch.threads: "2" should be of base attribute integer
func.func @main(%x: tensor<4xf32>) {
  "torch.threads"() <{count = "2"}> : () -> ()
  func.return
}


// -----

// A value.
// CHECK: error: torch.threads: Expected 0 operands, but got 1
func.func @main(%x: tensor<4xf32>) {
  "torch.threads"(%x) <{count = 2 : i64}> : (tensor<4xf32>) -> ()
  func.return
}


// -----

// A result.
// CHECK: error: torch.threads: Expected 0 results, but got 1
func.func @main(%x: tensor<4xf32>) {
  %y = "torch.threads"() <{count = 2 : i64}> : () -> tensor<4xf32>
  func.return
}


// -----

// Nothing to free.
// CHECK: error: torch.free: expected one or more distinct values
func.func @main(%x: tensor<4xf32>) {
  "torch.free"() : () -> ()
  func.return
}


// -----

// One value twice.
// CHECK: error: torch.free: expected one or more distinct values
func.func @main(%x: tensor<4xf32>) {
  torch.free %x, %x : tensor<4xf32>, tensor<4xf32>
  func.return
}


// -----

// A value that is used later.
// CHECK: error: torch.call: it uses %x before its definition or after it is freed
func.func @main(%x: tensor<4xf32>) {
  torch.free %x : tensor<4xf32>
  %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}


// -----

// A weight, which the next call needs.
// CHECK: error: torch.free: a weight cannot be freed
func.func @main(%x: tensor<4xf32>) {
  %w = torch.weight "w" : tensor<4xf32>
  %y = torch.call operator.add(%x, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  torch.free %x, %w : tensor<4xf32>, tensor<4xf32>
  func.return
}
