// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Branches and loops whose bodies do not fit them.

// CHECK: error: torch.if: Expected at least 1 operand, but got 0
func.func @f(%x: tensor<4xf32>) {
  "torch.if"() ({
    torch.yield
  }, {
    torch.yield
  }) : () -> ()
  func.return
}

// -----

// CHECK: error: torch.if: Expected 2 regions, but got 1
func.func @f(%c: tensor<i1>) {
  "torch.if"(%c) ({
    torch.yield
  }) : (tensor<i1>) -> ()
  func.return
}

// -----

// CHECK: error: torch.if: a body must take 1 value(s), this one takes 0
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  torch.if(%c, %x) ({
    torch.yield
  }, {
  ^bb0(%a: tensor<4xf32>):
    torch.yield
  }) : (tensor<i1>, tensor<4xf32>) -> ()
  func.return
}

// -----

// CHECK: error: torch.if: a body must yield 1 value(s), this one yields 0
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = torch.if(%c, %x) ({
  ^bb0(%a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }, {
  ^bb1(%b: tensor<4xf32>):
    torch.yield
  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: error: torch.if: a body must end with torch.yield
func.func @f(%c: tensor<i1>) {
  torch.if(%c) ({
    %y = torch.call torch.full([2], 0.5) : () -> tensor<2xf32>
  }, {
    torch.yield
  }) : (tensor<i1>) -> ()
  func.return
}

// -----

// A body that sees what is outside.
// CHECK: error: torch.if: Operation using value defined out of its IsolatedFromAbove parent
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = "torch.if"(%c) ({
    "torch.yield"(%x) : (tensor<4xf32>) -> ()
  }, {
    "torch.yield"(%x) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: error: torch.if: 'not a name' is not a Python identifier
func.func @f(%c: tensor<i1>) {
  torch.if(%c) ({
    torch.yield
  }, {
    torch.yield
  }) {torch.method = "not a name"} : (tensor<i1>) -> ()
  func.return
}

// -----

// CHECK: error: torch.loop: property 'counted' expected in operation 'torch.loop'
func.func @f(%x: tensor<4xf32>) {
  %y = torch.loop(%x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: error: torch.loop: 2 states exceed the operands or results
func.func @f(%x: tensor<4xf32>) {
  %y = torch.loop(%x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }) {counted = false, conditional = false, states = 2 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// More states than results.
// CHECK: error: torch.loop: 1 states exceed the operands or results
func.func @f(%n: tensor<i64>, %x: tensor<4xf32>) {
  torch.loop(%n, %x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.yield
  }) {counted = true, conditional = false, states = 1 : i64} : (tensor<i64>, tensor<4xf32>) -> ()
  func.return
}

// -----

// A condition that the body does not take.
// CHECK: error: torch.loop: a body must take 3 value(s), this one takes 2
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = torch.loop(%c, %x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }) {counted = false, conditional = true, states = 1 : i64} : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A body that does not say whether to go on.
// CHECK: error: torch.loop: a body must yield 2 value(s), this one yields 1
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = torch.loop(%c, %x) ({
  ^bb0(%step: tensor<i64>, %go: tensor<i1>, %a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }) {counted = false, conditional = true, states = 1 : i64} : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: error: torch.yield: Expected 0 results, but got 1
func.func @f(%c: tensor<i1>) {
  torch.if(%c) ({
    %y = "torch.yield"() : () -> tensor<f32>
  }, {
    torch.yield
  }) : (tensor<i1>) -> ()
  func.return
}

// -----

// A body that frees what the next iteration reads.
// CHECK: error: torch.loop: a body cannot hold torch.free
func.func @f(%n: tensor<i64>, %x: tensor<4xf32>) {
  torch.loop(%n, %x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.free %a : tensor<4xf32>
    torch.yield
  }) {counted = true, conditional = false, states = 0 : i64} : (tensor<i64>, tensor<4xf32>) -> ()
  func.return
}

// -----

// Threads of a body's own.
// CHECK: error: torch.if: a body cannot hold torch.threads
func.func @f(%c: tensor<i1>) {
  torch.if(%c) ({
    torch.yield
  }, {
    torch.threads 2
    torch.yield
  }) : (tensor<i1>) -> ()
  func.return
}

// -----

// A body that is not lowered, in one that is.
// CHECK: error: torch.if: a body cannot hold onnx.Relu
func.func @f(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<4xf32>) {
  torch.loop(%n, %c, %x) ({
  ^bb0(%step: tensor<i64>, %d: tensor<i1>, %s: tensor<4xf32>):
    torch.if(%d, %s) ({
    ^bb1(%a: tensor<4xf32>):
      %y = onnx.Relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield
    }, {
    ^bb2(%b: tensor<4xf32>):
      torch.yield
    }) : (tensor<i1>, tensor<4xf32>) -> ()
    torch.yield
  }) {counted = true, conditional = false, states = 0 : i64} : (tensor<i64>, tensor<i1>, tensor<4xf32>) -> ()
  func.return
}

// -----

// CHECK: error: torch.fused: torch.cat is not computed element by element
func.func @f(%x: tensor<4xf32>) {
  %y = torch.fused(%x) ({
  ^bb0(%a: tensor<4xf32>):
    %b = torch.call torch.cat([%a, %a], dim=0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    torch.yield %b : tensor<8xf32>
  }) : (tensor<4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// CHECK: error: torch.fused: a body must yield 1 value(s), this one yields 0
func.func @f(%x: tensor<4xf32>) {
  %y = torch.fused(%x) ({
  ^bb0(%a: tensor<4xf32>):
    torch.yield
  }) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
