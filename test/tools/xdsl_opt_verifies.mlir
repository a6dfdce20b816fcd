// RUN: xdsl-opt --split-input-file --verify-diagnostics %s | filecheck %s

// Plain xdsl-opt refuses what each operation declares to be wrong, and what only a whole program
// can show.

// CHECK: property 'sym_name' expected in operation 'cluster.program'
"cluster.program"() ({
  "cluster.worker"() <{number = 0 : i64}> ({
  ^bb0:
  }) : () -> ()
}) : () -> ()

// -----

// CHECK: unknown channel @y
cluster.program @p {
  cluster.worker 0 {
    cluster.wait @y
  }
}

// -----

// CHECK: a channel must have a type, unless it is a turn
cluster.program @p {
  cluster.channel input @x
  cluster.worker 0 {
  }
}

// -----

// CHECK: 'cluster.worker' expects parent op 'cluster.program'
cluster.worker 0 {
}

// -----

// A worker sees nothing of what is outside.
// CHECK: Operation using value defined out of its IsolatedFromAbove parent
func.func @f(%x: tensor<4xf32>) {
  "cluster.program"() <{sym_name = "p"}> ({
    "cluster.worker"() <{number = 0 : i64}> ({
      "cluster.send"(%x) <{channel = "x"}> : (tensor<4xf32>) -> ()
    }) : () -> ()
  }) : () -> ()
  func.return
}

// -----

// CHECK: property 'title' expected in operation 'cluster.section'
cluster.program @p {
  cluster.worker 0 {
    "cluster.section"() <{cluster = 0 : i64, cost = 1.0 : f64}> : () -> ()
  }
}

// -----

// CHECK: Expected 1 result, but got 0
cluster.program @p {
  cluster.worker 0 {
    "cluster.recv"() <{channel = "x"}> : () -> ()
  }
}

// -----

// CHECK: 'cluster.wait' expects parent op 'cluster.worker'
cluster.wait @t

// -----

// CHECK: property 'channel' expected in operation 'cluster.send'
cluster.program @p {
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    "cluster.send"(%x) : (tensor<4xf32>) -> ()
  }
}

// -----

// CHECK: 'cluster.signal' expects parent op 'cluster.worker'
cluster.signal @t

// -----

// CHECK: property 'value' expected in operation 'torch.weight'
%w = "torch.weight"() : () -> tensor<4xf32>

// -----

// CHECK: 'torch.yield' expects parent op to be one of 'torch.if', 'torch.loop'
func.func @f(%x: tensor<4xf32>) {
  torch.yield %x : tensor<4xf32>
}

// -----

// CHECK: Expected 0 operands, but got 1
func.func @f(%x: tensor<4xf32>) {
  "torch.threads"(%x) <{count = 2 : i64}> : (tensor<4xf32>) -> ()
  func.return
}

// -----

// CHECK: expected one or more distinct values
"torch.free"() : () -> ()

// -----

// CHECK: property 'args' expected in operation 'torch.call'
%y = "torch.call"() <{callee = "torch.zeros"}> : () -> tensor<4xf32>

// -----

// CHECK: property 'weights' expected in operation 'torch.layer'
%y = "torch.layer"() <{layer = "Linear", config = {}}> : () -> tensor<4xf32>

// -----

// CHECK: Operation using value defined out of its IsolatedFromAbove parent
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = "torch.if"(%c) ({
    "torch.yield"(%x) : (tensor<4xf32>) -> ()
  }, {
    "torch.yield"(%x) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: Operation torch.call terminates block in single-block region but is not a terminator
func.func @f(%c: tensor<i1>) {
  torch.if(%c) ({
    %y = torch.call torch.full([2], 0.5) : () -> tensor<2xf32>
  }, {
    torch.yield
  }) : (tensor<i1>) -> ()
  func.return
}

// -----

// CHECK: property 'states' expected in operation 'torch.loop'
func.func @f(%x: tensor<4xf32>) {
  %y = torch.loop(%x) ({
  ^bb0(%step: tensor<i64>, %a: tensor<4xf32>):
    torch.yield %a : tensor<4xf32>
  }) {counted = false, conditional = false} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
