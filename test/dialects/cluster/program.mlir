// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Two workers that hand values over both ways; an input for both; an output that is received, too.

// CHECK: cluster.program @net attributes {schedule = "linear", workers = 2 : i64} {
cluster.program @net attributes {schedule = "linear", workers = 2 : i64} {
  // CHECK-NEXT: cluster.channel input @x : tensor<4xf32>
  cluster.channel input @x : tensor<4xf32>
  // CHECK-NEXT: cluster.channel value @a : tensor<4xf32>
  cluster.channel value @a : tensor<4xf32>
  // CHECK-NEXT: cluster.channel value @b : tensor<?x4xf32>
  cluster.channel value @b : tensor<?x4xf32>
  // CHECK-NEXT: cluster.channel output @y : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  // CHECK-NEXT: cluster.worker 0 {
  cluster.worker 0 {
    // CHECK-NEXT: %x = cluster.recv @x {torch.names = ["x"]} : tensor<4xf32>
    %x = cluster.recv @x {torch.names = ["x"]} : tensor<4xf32>
    // CHECK-NEXT: cluster.section 0 "conv1 to relu_2" 812.5
    cluster.section 0 "conv1 to relu_2" 812.5
    // CHECK-NEXT: %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.send @a %a : tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
    // CHECK-NEXT: %w = torch.weight "w" : tensor<4xf32>
    %w = torch.weight "w" : tensor<4xf32>
    // CHECK-NEXT: %b = cluster.recv @b : tensor<?x4xf32>
    %b = cluster.recv @b : tensor<?x4xf32>
    // CHECK-NEXT: %y = torch.call operator.add(%b, %w) : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %y = torch.call operator.add(%b, %w) : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<4xf32>
    // CHECK-NEXT: cluster.send @y %y : tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: cluster.worker 1 {
  cluster.worker 1 {
    // CHECK-NEXT: %x = cluster.recv @x : tensor<4xf32>
    %x = cluster.recv @x : tensor<4xf32>
    // CHECK-NEXT: cluster.section 1 "a-b.c" 0.0
    cluster.section 1 "a-b.c" 0.0
    // CHECK-NEXT: %a = cluster.recv @a : tensor<4xf32>
    %a = cluster.recv @a : tensor<4xf32>
    // CHECK-NEXT: %b = torch.call operator.mul(%x, %a) : (tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %b = torch.call operator.mul(%x, %a) : (tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    // CHECK-NEXT: cluster.send @b %b : tensor<?x4xf32>
    cluster.send @b %b : tensor<?x4xf32>
    // CHECK-NEXT: %y = cluster.recv @y : tensor<4xf32>
    %y = cluster.recv @y : tensor<4xf32>
  // CHECK-NEXT: }
  }
// CHECK-NEXT: }
}

// CHECK: cluster.program @empty {
cluster.program @empty {
  // CHECK-NEXT: cluster.worker 0 {
  cluster.worker 0 {
  // CHECK-NEXT: }
  }
// CHECK-NEXT: }
}
