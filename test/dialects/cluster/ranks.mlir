// Workers of several ranks: each says its own.
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s

// CHECK:      cluster.program @p attributes {executor = "distributed"} {
// CHECK:        cluster.worker 0 rank 0 {
// CHECK:        cluster.worker 1 rank 1 {
cluster.program @p attributes {executor = "distributed"} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @a : tensor<?x4xf32>
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %a = torch.call torch.zeros([1, 4]) : () -> tensor<?x4xf32>
    cluster.send @a %a : tensor<?x4xf32>
  }
  cluster.worker 1 rank 1 {
    %x = cluster.recv @x : tensor<4xf32>
    %a = cluster.recv @a : tensor<?x4xf32>
    %y = torch.call operator.add(%x, %a) : (tensor<4xf32>, tensor<?x4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}

// Two workers of a rank lend each other their cores, and take turns.
// CHECK: cluster.worker 2 rank 1 {
cluster.program @lends attributes {executor = "distributed"} {
  cluster.channel value @a : tensor<4xf32>
  cluster.channel turn @t
  cluster.channel output @y : tensor<4xf32>
  cluster.worker 0 rank 0 {
    %a = torch.call torch.zeros([4]) : () -> tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
  }
  cluster.worker 1 rank 1 {
    %a = cluster.recv @a : tensor<4xf32>
    cluster.wait @t
    torch.threads 2 {cluster.reserves = array<i64: 2>}
    %y = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
  cluster.worker 2 rank 1 {
    cluster.signal @t
  }
}
