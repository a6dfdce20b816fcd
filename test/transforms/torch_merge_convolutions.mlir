// RUN: ramiel-opt --pass-pipeline=torch-merge-convolutions %s | filecheck %s

// Three branches of one value: kernels grow to the largest, and the padding with them. A layer
// without a bias gets zeros. The new layer has the origin and the place of the first, a name and
// a cost of its own; the split has the place of the last. What other passes wrote stays.
// CHECK:      func.func @main
// CHECK-NEXT: %[[ALL:.*]] = torch.layer Conv2d(%x) {padding = 2} weights {weight = "a.merged.weight" : tensor<12x4x5x5xf32>, bias = "a.merged.bias" : tensor<12xf32>} attributes {torch.node = "/inc/a/Conv", torch.op = "Conv", torch.names = ["inc_merged"], torch.layer_name = "inc_merged", cluster.id = 3 : i64, cluster.position = array<i64: 1>, cluster.cost = {{[0-9.e+]+}} : f64} : (tensor<1x4x8x8xf32>) -> tensor<1x12x8x8xf32>
// CHECK-NEXT: %a, %b, %c = torch.call torch.split(%[[ALL]], [2, 4, 6], dim = 1) {torch.node = "/inc/c/Conv", torch.op = "Conv", torch.names = ["inc_a", "inc_b", "inc_c"], cluster.id = 5 : i64, cluster.position = array<i64: 4>, cluster.cost = {{[0-9.e+]+}} : f64}
// CHECK-NEXT: %p = torch.call F.relu(%a)
// CHECK-NEXT: %q = torch.call F.relu(%b)

// Two 1-dimensional ones, dilated by 3 and without any name.
// CHECK-NEXT: %[[PAIR:.*]] = torch.layer Conv1d(%y) {stride = 2, padding = 6, dilation = 3} weights {weight = "d.merged.weight" : tensor<5x4x5xf32>} : (tensor<1x4x16xf32>) -> tensor<1x5x8xf32>
// CHECK-NEXT: %d, %e = torch.call torch.split(%[[PAIR]], [2, 3], dim = 1)

// Every dimension grows for itself: 1x7 and 7x1 become 7x7.
// CHECK-NEXT: %[[CROSS:.*]] = torch.layer Conv2d(%x) {padding = 3} weights {weight = "f.merged.weight" : tensor<5x4x7x7xf32>}
// CHECK-NEXT: %f, %g = torch.call torch.split(%[[CROSS]], [2, 3], dim = 1)
// CHECK-NEXT: func.return %p, %q, %c, %d, %e, %f, %g
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x16xf32>) -> (tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x6x8x8xf32>, tensor<1x2x8xf32>, tensor<1x3x8xf32>, tensor<1x2x8x8xf32>, tensor<1x3x8x8xf32>) {
  %a = torch.layer Conv2d(%x) weights {weight = "a.weight" : tensor<2x4x1x1xf32>, bias = "a.bias" : tensor<2xf32>} attributes {torch.node = "/inc/a/Conv", torch.op = "Conv", torch.names = ["inc_a"], torch.layer_name = "inc_a", cluster.merge = 7 : i64, cluster.cost = 90.0 : f64, cluster.id = 3 : i64, cluster.position = array<i64: 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %p = torch.call F.relu(%a) {torch.names = ["p"]} : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {padding = 1} weights {weight = "b.weight" : tensor<4x4x3x3xf32>} attributes {torch.node = "/inc/b/Conv", torch.op = "Conv", torch.names = ["inc_b"], torch.layer_name = "inc_b", cluster.merge = 7 : i64, cluster.cost = 90.0 : f64, cluster.id = 4 : i64, cluster.position = array<i64: 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %q = torch.call F.relu(%b) {torch.names = ["q"]} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %c = torch.layer Conv2d(%x) {padding = [2, 2]} weights {weight = "c.weight" : tensor<6x4x5x5xf32>, bias = "c.bias" : tensor<6xf32>} attributes {torch.node = "/inc/c/Conv", torch.op = "Conv", torch.names = ["inc_c"], torch.layer_name = "inc_c", cluster.merge = 7 : i64, cluster.cost = 90.0 : f64, cluster.id = 5 : i64, cluster.position = array<i64: 4>} : (tensor<1x4x8x8xf32>) -> tensor<1x6x8x8xf32>
  %d = torch.layer Conv1d(%y) {stride = 2, padding = 3, dilation = 3} weights {weight = "d.weight" : tensor<2x4x3xf32>} attributes {cluster.merge = 1 : i64} : (tensor<1x4x16xf32>) -> tensor<1x2x8xf32>
  %e = torch.layer Conv1d(%y) {stride = 2, padding = 6, dilation = 3} weights {weight = "e.weight" : tensor<3x4x5xf32>} attributes {cluster.merge = 1 : i64} : (tensor<1x4x16xf32>) -> tensor<1x3x8xf32>
  %f = torch.layer Conv2d(%x) {padding = [0, 3]} weights {weight = "f.weight" : tensor<2x4x1x7xf32>} attributes {cluster.merge = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %g = torch.layer Conv2d(%x) {padding = [3, 0]} weights {weight = "g.weight" : tensor<3x4x7x1xf32>} attributes {cluster.merge = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x3x8x8xf32>
  func.return %p, %q, %c, %d, %e, %f, %g : tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x6x8x8xf32>, tensor<1x2x8xf32>, tensor<1x3x8xf32>, tensor<1x2x8x8xf32>, tensor<1x3x8x8xf32>
}
