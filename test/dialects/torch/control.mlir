// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// A branch and loops. A body takes all that it reads as arguments.

// CHECK: func.func @branch(%c: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
func.func @branch(%c: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK-NEXT: %y, %z = torch.if(%c, %x) ({
  %y, %z = torch.if(%c, %x) ({
  // CHECK-NEXT: ^bb0(%a: tensor<4xf32>):
  ^bb0(%a: tensor<4xf32>):
    // CHECK-NEXT: %r = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %r = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: torch.yield %r, %a : tensor<4xf32>, tensor<4xf32>
    torch.yield %r, %a : tensor<4xf32>, tensor<4xf32>
  // CHECK-NEXT: }, {
  }, {
  // CHECK-NEXT: ^bb0(%b: tensor<4xf32>):
  ^bb1(%b: tensor<4xf32>):
    // CHECK-NEXT: torch.yield %b, %b : tensor<4xf32>, tensor<4xf32>
    torch.yield %b, %b : tensor<4xf32>, tensor<4xf32>
  // CHECK-NEXT: }) {torch.node = "/if", torch.method = "choose"} : (tensor<i1>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  }) {torch.node = "/if", torch.method = "choose"} : (tensor<i1>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK-NEXT: func.return %y, %z
  func.return %y, %z : tensor<4xf32>, tensor<4xf32>
}

// A count and a condition, a state, something that the body only reads, and parts that are stacked.
// CHECK: func.func @loop
func.func @loop(%n: tensor<i64>, %c: tensor<i1>, %s: tensor<4xf32>, %x: tensor<4xf32>) {
  // CHECK-NEXT: %last, %all = torch.loop(%n, %c, %s, %x) ({
  %last, %all = torch.loop(%n, %c, %s, %x) ({
  // CHECK-NEXT: ^bb0(%step: tensor<i64>, %go: tensor<i1>, %state: tensor<4xf32>, %w: tensor<4xf32>):
  ^bb0(%step: tensor<i64>, %go: tensor<i1>, %state: tensor<4xf32>, %w: tensor<4xf32>):
    // CHECK-NEXT: %next = torch.call operator.add(%state, %w)
    %next = torch.call operator.add(%state, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: torch.yield %go, %next, %state : tensor<i1>, tensor<4xf32>, tensor<4xf32>
    torch.yield %go, %next, %state : tensor<i1>, tensor<4xf32>, tensor<4xf32>
  // CHECK-NEXT: }) {counted = true, conditional = true, states = 1 : i64} : (tensor<i64>, tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>)
  }) {counted = true, conditional = true, states = 1 : i64} : (tensor<i64>, tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>)
  // Neither of them, nor a state: it runs for ever.
  // CHECK-NEXT: torch.loop() ({
  torch.loop() ({
  // CHECK-NEXT: ^bb0(%turn: tensor<i64>):
  ^bb1(%turn: tensor<i64>):
    // CHECK-NEXT: torch.yield
    torch.yield
  // CHECK-NEXT: }) {counted = false, conditional = false, states = 0 : i64} : () -> ()
  }) {counted = false, conditional = false, states = 0 : i64} : () -> ()
  // CHECK-NEXT: func.return
  func.return
}

// Bodies in bodies.
// CHECK: func.func @nested
func.func @nested(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<4xf32>) {
  // CHECK-NEXT: %y = torch.loop(%n, %x, %c) ({
  %y = torch.loop(%n, %x, %c) ({
  ^bb0(%step: tensor<i64>, %s: tensor<4xf32>, %d: tensor<i1>):
    // CHECK: %z = torch.if(%d, %s) ({
    %z = torch.if(%d, %s) ({
    ^bb1(%a: tensor<4xf32>):
      torch.yield %a : tensor<4xf32>
    }, {
    ^bb2(%b: tensor<4xf32>):
      %t = torch.call torch.tanh(%b) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %t : tensor<4xf32>
    // CHECK: }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: torch.yield %z : tensor<4xf32>
    torch.yield %z : tensor<4xf32>
  }) {counted = true, conditional = false, states = 1 : i64} : (tensor<i64>, tensor<4xf32>, tensor<i1>) -> tensor<4xf32>
  func.return
}
