// RUN: ramiel-opt %s -p cluster-channels -t pytorch | filecheck %s

// A batch of two samples: names have the number of the sample, weights and layers have none, and
// the serial program is that of one sample.
builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<1x4xf32> {torch.name = "x"}) -> tensor<1x4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64} {
    %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
    %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 0>, array<i64: 1>], cluster.position = array<i64: 0, 1>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 20.0 : f64, cluster.id = 0 : i64, cluster.workers = [array<i64: 1>, array<i64: 0>], cluster.position = array<i64: 2, 3>} : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    func.return %b : tensor<1x4xf32>
  }
}
