// RUN: ramiel-opt %s -p cluster-channels -t pytorch | filecheck %s

// Operations on several threads, and turns: a core that is lent and given back.
builtin.module attributes {torch.class = "Model"} {
  func.func @main(%x: tensor<4xf32> {torch.name = "turn_1"}) -> tensor<4xf32> attributes {cluster.schedule = "by hand", cluster.placed_on = 2 : i64, cluster.threads = array<i64: 2>, cluster.hand_over = 10.0 : f64, cluster.switch = 5.0 : f64} {
    %a = torch.call torch.exp(%x) {torch.names = ["a"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
    %b = torch.call torch.sin(%a) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.wide_cost = array<f64: 160.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
    %c = torch.call torch.cos(%x) {torch.names = ["c"], cluster.cost = 200.0 : f64, cluster.wide_cost = array<f64: 110.0>, cluster.workers = [array<i64: 1>], cluster.position = array<i64: 2>} : (tensor<4xf32>) -> tensor<4xf32>
    %d = torch.call torch.tan(%b) {torch.names = ["d"], cluster.cost = 100.0 : f64, cluster.wide_cost = array<f64: 60.0>, cluster.workers = [array<i64: 0, 1>], cluster.position = array<i64: 3>} : (tensor<4xf32>) -> tensor<4xf32>
    %e = torch.call operator.add(%c, %d) {torch.names = ["e"], cluster.cost = 10.0 : f64, cluster.wide_cost = array<f64: 10.0>, cluster.workers = [array<i64: 0>], cluster.position = array<i64: 4>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    func.return %e : tensor<4xf32>
  }
}
