// RUN: ramiel-opt --split-input-file --pass-pipeline=torch-merge-convolutions %s | filecheck %s

// The new layer has a name that no layer of a body has and no method: all are attributes of the
// program.
// CHECK: func.func @main
// CHECK-NEXT: torch.layer Conv2d(%x) {{.*}}torch.layer_name = "inc_merged_3"
func.func @main(%c: tensor<i1>, %x: tensor<1x4x8x8xf32>) -> (tensor<1x2x8x8xf32>, tensor<1x3x8x8xf32>, tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) weights {weight = "a" : tensor<2x4x1x1xf32>} attributes {torch.names = ["inc_a"], torch.layer_name = "inc_a", cluster.merge = 0 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) weights {weight = "b" : tensor<3x4x1x1xf32>} attributes {torch.names = ["inc_b"], torch.layer_name = "inc_b", cluster.merge = 0 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x3x8x8xf32>
  %y = torch.if(%c, %x) ({
  ^bb0(%p: tensor<1x4x8x8xf32>):
    %q = torch.layer Conv2d(%p) weights {weight = "q" : tensor<4x4x1x1xf32>} attributes {torch.names = ["q"], torch.layer_name = "inc_merged"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    torch.yield %q : tensor<1x4x8x8xf32>
  }, {
  ^bb1(%r: tensor<1x4x8x8xf32>):
    torch.yield %r : tensor<1x4x8x8xf32>
  }) {torch.names = ["y"], torch.method = "inc_merged_2", torch.parameters = ["condition", "p"]} : (tensor<i1>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %a, %b, %y : tensor<1x2x8x8xf32>, tensor<1x3x8x8xf32>, tensor<1x4x8x8xf32>
}

// -----

// The new name is none that a method, its parameters, or the default of an input has.
// CHECK: torch.layer Conv2d(%x) {{.*}}torch.names = ["inc_merged_3"], torch.layer_name = "inc_merged_3"
func.func @main(%x: tensor<1x4x8x8xf32> {torch.name = "x"}, %k: tensor<i1> {torch.name = "k", torch.layer_name = "inc_merged"}) -> (tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) weights {weight = "a.weight" : tensor<2x4x1x1xf32>} attributes {torch.names = ["inc_a"], torch.layer_name = "inc_a", cluster.merge = 0 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) weights {weight = "b.weight" : tensor<4x4x1x1xf32>} attributes {torch.names = ["inc_b"], torch.layer_name = "inc_b", cluster.merge = 0 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %c = torch.if(%k, %x) ({
  ^bb0(%p : tensor<1x4x8x8xf32>):
    torch.yield %p : tensor<1x4x8x8xf32>
  }, {
  ^bb1(%q : tensor<1x4x8x8xf32>):
    %r = torch.call torch.exp(%q) {torch.names = ["inc_merged"]} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    torch.yield %r : tensor<1x4x8x8xf32>
  }) {torch.names = ["c"], torch.method = "inc_merged_2", torch.parameters = ["condition", "inc_merged_2"]} : (tensor<i1>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %a, %b, %c : tensor<1x2x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
}
