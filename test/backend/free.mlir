// RUN: ramiel-opt %s -p "torch-assign-names,cluster-costs,cluster-linear,cluster-merge,cluster-place,cluster-channels,cluster-free-values{enough=0}" -t pytorch | filecheck %s

// Values that are freed at one place are deleted by one statement, or by as many as fit on lines.
builtin.module {
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %v0 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_0", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %v1 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_1", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %v2 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_2", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %v3 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_3", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %v4 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_4", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %v5 = torch.call F.relu(%x) {torch.node = "an_activation_of_this_name_5", torch.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
    %sum = torch.call torch.stack([%v0, %v1, %v2, %v3, %v4, %v5]) {torch.node = "stack", torch.op = "Concat"} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<6x4xf32>
    %y = torch.call torch.sum(%sum, 0) {torch.node = "total", torch.op = "ReduceSum"} : (tensor<6x4xf32>) -> tensor<4xf32>
    func.return %y : tensor<4xf32>
  }
}
// CHECK-LABEL: def serial
// CHECK:           stack = torch.stack(
// CHECK:           )
// CHECK-NEXT:      del an_activation_of_this_name_0, an_activation_of_this_name_1
// CHECK-NEXT:      del an_activation_of_this_name_2, an_activation_of_this_name_3
// CHECK-NEXT:      del an_activation_of_this_name_4, an_activation_of_this_name_5
// CHECK-NEXT:      total = torch.sum(stack, 0)
// CHECK-NEXT:      del stack
// CHECK-NEXT:      return total
