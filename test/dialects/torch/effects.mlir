// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt %s -p dce,cse,canonicalize | filecheck %s

// What says how operations run: nothing may drop it or move an operation over it.

// CHECK: func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: torch.threads 2 {cluster.reserves = array<i64: 1>}
  torch.threads 2 {cluster.reserves = array<i64: 1>}
  // CHECK-NEXT: %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %a = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NEXT: torch.threads 1
  torch.threads 1
  // CHECK-NEXT: torch.threads 1
  torch.threads 1
  // CHECK-NEXT: %b = torch.call torch.exp(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call torch.exp(%a) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NEXT: torch.free %a : tensor<4xf32>
  torch.free %a : tensor<4xf32>
  // CHECK-NEXT: func.return %b : tensor<4xf32>
  func.return %b : tensor<4xf32>
}
