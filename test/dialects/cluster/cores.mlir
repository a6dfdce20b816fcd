// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Both workers compute, then worker 0 uses both cores, then worker 1, then each has its own again.
// Turns say when: a turn carries nothing, and a value can take its place.

// CHECK: cluster.program @net {
cluster.program @net {
  // CHECK-NEXT: cluster.channel input @x : tensor<4xf32>
  cluster.channel input @x : tensor<4xf32>
  // CHECK-NEXT: cluster.channel value @b : tensor<4xf32>
  cluster.channel value @b : tensor<4xf32>
  // CHECK-NEXT: cluster.channel output @c : tensor<4xf32>
  cluster.channel output @c : tensor<4xf32>
  // CHECK-NEXT: cluster.channel turn @free_1
  cluster.channel turn @free_1
  // CHECK-NEXT: cluster.channel turn @back_0
  cluster.channel turn @back_0
  // CHECK-NEXT: cluster.worker 0 {
  cluster.worker 0 {
    // CHECK-NEXT: %x = cluster.recv @x : tensor<4xf32>
    %x = cluster.recv @x : tensor<4xf32>
    // CHECK-NEXT: %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.wait @free_1
    cluster.wait @free_1
    // CHECK-NEXT: torch.threads 2 {cluster.reserves = array<i64: 1>}
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    // CHECK-NEXT: %b = torch.call torch.exp(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.exp(%a) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.send @b %b : tensor<4xf32>
    cluster.send @b %b : tensor<4xf32>
    // CHECK-NEXT: cluster.wait @back_0
    cluster.wait @back_0
    // CHECK-NEXT: torch.threads 1
    torch.threads 1
    // CHECK-NEXT: %d = torch.call torch.tan(%b) : (tensor<4xf32>) -> tensor<4xf32>
    %d = torch.call torch.tan(%b) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: cluster.worker 1 {
  cluster.worker 1 {
    // CHECK-NEXT: %x = cluster.recv @x : tensor<4xf32>
    %x = cluster.recv @x : tensor<4xf32>
    // CHECK-NEXT: %y = torch.call torch.cos(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %y = torch.call torch.cos(%x) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.signal @free_1
    cluster.signal @free_1
    // CHECK-NEXT: %b = cluster.recv @b : tensor<4xf32>
    %b = cluster.recv @b : tensor<4xf32>
    // CHECK-NEXT: torch.threads 2 {cluster.reserves = array<i64: 0>}
    torch.threads 2 {cluster.reserves = array<i64: 0>}
    // CHECK-NEXT: %c = torch.call torch.sin(%b) : (tensor<4xf32>) -> tensor<4xf32>
    %c = torch.call torch.sin(%b) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.signal @back_0
    cluster.signal @back_0
    // CHECK-NEXT: torch.threads 1
    torch.threads 1
    // CHECK-NEXT: cluster.send @c %c : tensor<4xf32>
    cluster.send @c %c : tensor<4xf32>
  // CHECK-NEXT: }
  }
// CHECK-NEXT: }
}

// A worker that has four cores to itself, three of which no worker has.
// CHECK: cluster.program @alone {
cluster.program @alone {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    // CHECK: torch.threads 4 {cluster.reserves = array<i64: 1, 2, 7>}
    torch.threads 4 {cluster.reserves = array<i64: 1, 2, 7>}
    %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// A stretch begins with its first operation and ends with its last: what a worker receives and
// sends within may order it.
// CHECK: cluster.program @ordered {
cluster.program @ordered {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @a : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 {
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = cluster.recv @a : tensor<4xf32>
    %y = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = torch.call torch.cos(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
}

// The core goes back in the midst of a stretch, while worker 0 waits.
// CHECK: cluster.program @back_for_a_while {
cluster.program @back_for_a_while {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @to_1
  cluster.channel turn @to_0
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @to_1
    cluster.wait @to_0
    %c = torch.call torch.cos(%a) : (tensor<4xf32>) -> tensor<4xf32>
  }
  cluster.worker 1 {
    cluster.wait @to_1
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.call torch.sin(%x) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @to_0
  }
}

// A branch and a loop compute, too: turns keep them off a core that is lent, and what they run on.
// CHECK: cluster.program @control {
cluster.program @control {
  cluster.channel input @c : tensor<i1>
  cluster.channel input @n : tensor<i64>
  cluster.channel input @x : tensor<4xf32>
  cluster.channel turn @to_0
  cluster.channel turn @to_1
  cluster.worker 0 {
    %n = cluster.recv @n : tensor<i64>
    %x = cluster.recv @x : tensor<4xf32>
    cluster.wait @to_0
    torch.threads 2 {cluster.reserves = array<i64: 1>}
    // CHECK: %a = torch.loop(%n, %x) ({
    %a = torch.loop(%n, %x) ({
    ^bb0(%step: tensor<i64>, %s: tensor<4xf32>):
      %t = torch.call torch.tanh(%s) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %t : tensor<4xf32>
    }) {counted = true, conditional = false, states = 1 : i64} : (tensor<i64>, tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @to_1
  }
  cluster.worker 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    cluster.signal @to_0
    %c = cluster.recv @c : tensor<i1>
    cluster.wait @to_1
    // CHECK: %d = torch.if(%c, %b) ({
    %d = torch.if(%c, %b) ({
    ^bb1(%p: tensor<4xf32>):
      %r = torch.call F.relu(%p) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %r : tensor<4xf32>
    }, {
    ^bb2(%q: tensor<4xf32>):
      torch.yield %q : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  }
}
