// RUN: ramiel-opt %s -p 'cluster-costs{device="cuda:h100"}' | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-costs{threads=4 device="cuda:h100"}' | filecheck %s
// RUN: ramiel-opt %s -p 'cluster-costs{device="cuda:h100"},cluster-costs{threads=2}' | filecheck %s --check-prefix CPU
// RUN: ramiel-opt %s -p 'cluster-costs{device="cuda:t4"}' | filecheck %s --check-prefix T4
// RUN: not ramiel-opt %s -p 'cluster-costs{device="cuda:z80"}' 2>&1 | filecheck %s --check-prefix Z80
// Z80: error: there is no device 'cuda:z80'; there are cpu, cuda (the current one), cuda:h100
// RUN: not ramiel-opt %s -p 'cluster-costs{device="cpu:h100"}' 2>&1 | filecheck %s --check-prefix MIXED
// MIXED: error: there is no device 'cpu:h100'; there are cpu, cuda

// On a GPU a kernel costs its launch at least, and what moves no data nothing. A convolution with a
// ReLU is one kernel, another with a bias two. Few elements fill a small part of the device.
func.func @main(%x: tensor<1x64x56x56xf32>) -> (tensor<1x64x56x56xf32>, tensor<1x4xf32>) {
  %0 = torch.layer Conv2d(%x) {padding = 1, activation = "relu"} weights {weight = "w" : tensor<64x64x3x3xf32>, bias = "b" : tensor<64xf32>} : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %1 = torch.layer Conv2d(%0) {padding = 1} weights {weight = "v" : tensor<64x64x3x3xf32>, bias = "c" : tensor<64xf32>} : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %2 = torch.call Tensor.reshape(%1, 1, 200704) : (tensor<1x64x56x56xf32>) -> tensor<1x200704xf32>
  %3 = torch.call torch.zeros([1, 4]) : () -> tensor<1x4xf32>
  func.return %1, %3 : tensor<1x64x56x56xf32>, tensor<1x4xf32>
}

// CHECK:      attributes {cluster.device = "cuda", cluster.threads = array<i64>, cluster.hand_over = 1.000000e+00 : f64, cluster.switch = 0.000000e+00 : f64}
// CHECK:      torch.layer Conv2d{{.*}}activation{{.*}}cluster.cost = 9.{{[0-9]+}}e+00 : f64, cluster.share = 7.{{[0-9]+}}e-01 : f64}
// CHECK-NEXT: torch.layer Conv2d{{.*}}cluster.cost = 1.1{{[0-9]+}}e+01 : f64, cluster.share = 6.{{[0-9]+}}e-01 : f64}
// CHECK-NEXT: torch.call Tensor.reshape{{.*}}cluster.cost = 0.000000e+00 : f64, cluster.share = 0.000000e+00 : f64}
// CHECK-NEXT: torch.call torch.zeros{{.*}}cluster.cost = 2.2{{[0-9]*}}e+00 : f64, cluster.share = {{[0-9.]+}}e{{-0[3-9]|\+00}} : f64}

// Costs of the CPU leave nothing behind of those of a device.
// CPU-NOT:  cluster.{{device|hand_over|switch|share}}
// CPU:      cluster.wide_cost
// CPU-NOT:  cluster.share

// T4:       torch.layer Conv2d{{.*}}cluster.cost = {{[4-9]}}.{{[0-9]+}}e+01 : f64, cluster.share = 9
