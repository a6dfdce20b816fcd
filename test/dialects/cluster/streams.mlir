// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s

// Workers that are streams. A channel keeps what it carries, also a value that a worker takes or
// frees, until no stream can read it any more.

// CHECK: cluster.program @net attributes {device = "cuda"} {
cluster.program @net attributes {device = "cuda"} {
  cluster.channel input @x : tensor<4xf32>
  cluster.channel value @a : tensor<4xf32>
  cluster.channel output @y : tensor<4xf32>
  // CHECK: cluster.worker 0 {
  cluster.worker 0 {
    %x = cluster.recv @x : tensor<4xf32>
    %b = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %a = torch.call torch.sin(%b) : (tensor<4xf32>) -> tensor<4xf32>
    // CHECK: torch.free %b
    torch.free %b : tensor<4xf32>
    cluster.send @a %a : tensor<4xf32>
    torch.free %a : tensor<4xf32>
  }
  cluster.worker 1 {
    // CHECK: %a = cluster.recv @a {cluster.takes} : tensor<4xf32>
    %a = cluster.recv @a {cluster.takes} : tensor<4xf32>
    %y = torch.call torch.cos(%a) : (tensor<4xf32>) -> tensor<4xf32>
    cluster.send @y %y : tensor<4xf32>
  }
}
