// Calls that are fused print as a function of their own, which the runtime compiles.
// RUN: ramiel-opt %s -p 'torch-fuse-pointwise,torch-assign-names,cluster-costs{device="cuda:h100"},cluster-linear,cluster-merge,cluster-streams{schedule=linear},cluster-channels,cluster-free-values{enough=100000}' -t pytorch | filecheck %s

func.func @main(%x: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %w = torch.weight "scale" : tensor<8xf32>
  %l = torch.layer Linear(%x) weights {weight = "fc.weight" : tensor<8x8xf32>} attributes {torch.node = "/fc/MatMul", torch.op = "MatMul"} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %m = torch.call operator.mul(%l, %w) {torch.node = "/Mul", torch.op = "Mul"} : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
  %r = torch.call F.relu(%m) {torch.node = "/Relu", torch.op = "Relu"} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  func.return %r : tensor<1x8xf32>
}

// CHECK:      from ramiel.runtime import {{.*}}
// CHECK:      compiled,
// CHECK:              fc = self.fc(x)
// CHECK-NEXT:         relu = self.relu(fc, self.w)
// CHECK:          @staticmethod
// CHECK-NEXT:     @compiled
// CHECK-NEXT:     def relu({{.*}}: Tensor, {{.*}}: Tensor) -> Tensor:
// CHECK-NEXT:         [[M:mul.*]] = {{.*}} * {{.*}}
// CHECK-NEXT:         [[R:relu.*]] = F.relu([[M]])
// CHECK-NEXT:         return [[R]]
// CHECK:          def serial(self, x: Tensor) -> Tensor:
