// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// CHECK:      %y = torch.fused(%x) ({
// CHECK-NEXT: ^bb0(%a: tensor<4xf32>):
// CHECK-NEXT:   %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   torch.yield %b : tensor<4xf32>
// CHECK-NEXT: }) {torch.method = "relu", torch.parameters = ["a"]} : (tensor<4xf32>) -> tensor<4xf32>
func.func @f(%x: tensor<4xf32>) {
  %y = torch.fused(%x) ({
  ^bb0(%a: tensor<4xf32>):
    %b = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
    torch.yield %b : tensor<4xf32>
  }) {torch.method = "relu", torch.parameters = ["a"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
