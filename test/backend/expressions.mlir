// How each kind of operation is written, and where lines break.
// RUN: ramiel-opt %s -p cluster-costs,cluster-serial,cluster-channels -t pytorch | filecheck %s

builtin.module attributes {torch.class = "Expressions"} {
  func.func @main(%x: tensor<2x8xf32> {torch.name = "x"}) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
    %k = torch.weight "k" {torch.layer_name = "k"} : tensor<8xf32>
    %a = torch.call operator.mul(%x, %k) {torch.names = ["a"]} : (tensor<2x8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
    %b = torch.call operator.pow(%a, 2) {torch.names = ["b"]} : (tensor<2x8xf32>) -> tensor<2x8xf32>
    %c = torch.call operator.neg(%b) {torch.names = ["c"]} : (tensor<2x8xf32>) -> tensor<2x8xf32>
    %d = torch.call operator.getitem(%c, [slice(none, none, none), slice(0, 8, 2)]) {torch.names = ["d"]} : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %e = torch.call Tensor.reshape(%d, 8, -1) {torch.names = ["e"]} : (tensor<2x4xf32>) -> tensor<8x1xf32>
    %f = torch.call Tensor.mT(%e) {torch.names = ["f"]} : (tensor<8x1xf32>) -> tensor<1x8xf32>
    %g = torch.call torch.full([2, 8], inf, dtype = float32) {torch.names = ["g"]} : () -> tensor<2x8xf32>
    %h0, %h1 = torch.call torch.split(%f, [3, 5], dim = 1) {torch.names = ["h_0", "_"]} : (tensor<1x8xf32>) -> (tensor<1x3xf32>, tensor<1x5xf32>)
    %i = torch.call torch.cat([%h0, %h0, %h0], dim = 1) {torch.names = ["a_long_name_for_one_of_a_list"]} : (tensor<1x3xf32>, tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<1x9xf32>
    %j = torch.call torch.cat([%i, %i, %i, %i], dim = 1) {torch.names = ["j"]} : (tensor<1x9xf32>, tensor<1x9xf32>, tensor<1x9xf32>, tensor<1x9xf32>) -> tensor<1x36xf32>
    %l = torch.call F.pad(%x, [1, -1], mode = "constant") {torch.names = ["l"]} : (tensor<2x8xf32>) -> tensor<2x8xf32>
    %m = torch.call operator.add(%l, 1.0e-05) {torch.names = ["m"]} : (tensor<2x8xf32>) -> tensor<2x8xf32>
    %n = torch.call aten.roll.default(%m, [1], [0]) {torch.names = ["n"]} : (tensor<2x8xf32>) -> tensor<2x8xf32>
    func.return %n, %g : tensor<2x8xf32>, tensor<2x8xf32>
  }
}

// CHECK:      def serial(self, x: Tensor) -> tuple[Tensor, Tensor]:
// CHECK-NEXT:   a = x * self.k
// CHECK-NEXT:   b = a**2
// CHECK-NEXT:   c = -b
// CHECK-NEXT:   d = c[:, 0:8:2]
// CHECK-NEXT:   e = d.reshape(8, -1)
// CHECK-NEXT:   f = e.mT
// CHECK-NEXT:   g = torch.full([2, 8], float("inf"), dtype=torch.float32)
// CHECK-NEXT:   h_0, _ = torch.split(f, [3, 5], dim=1)
// CHECK-NEXT:   a_long_name_for_one_of_a_list = torch.cat([h_0, h_0, h_0], dim=1)
// CHECK-NEXT:   j = torch.cat(
// CHECK-NEXT:       [
// CHECK-NEXT:           a_long_name_for_one_of_a_list,
// CHECK-NEXT:           a_long_name_for_one_of_a_list,
// CHECK-NEXT:           a_long_name_for_one_of_a_list,
// CHECK-NEXT:           a_long_name_for_one_of_a_list,
// CHECK-NEXT:       ],
// CHECK-NEXT:       dim=1,
// CHECK-NEXT:   )
// CHECK-NEXT:   l = F.pad(x, [1, -1], mode="constant")
// CHECK-NEXT:   m = l + 1e-05
// CHECK-NEXT:   n = torch.ops.aten.roll.default(m, [1], [0])
// CHECK-NEXT:   return n, g
