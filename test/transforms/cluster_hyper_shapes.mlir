// RUN: ramiel-opt %s --split-input-file --verify-diagnostics -p cluster-costs,cluster-serial,cluster-hyper | filecheck %s

// Samples can be put together only if each input and output is a batch of one.

// CHECK: error: input 0 is 2x4: a batch needs a model whose inputs and outputs have a first dimension of 1
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = torch.call torch.exp(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %a : tensor<2x4xf32>
}

// -----

// CHECK: error: input 1 is ?x4: a batch
func.func @main(%x: tensor<1x4xf32>, %y: tensor<?x4xf32>) -> tensor<1x4xf32> {
  %a = torch.call torch.exp(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %a : tensor<1x4xf32>
}

// -----

// CHECK: error: input 0 is unknown: a batch
func.func @main(%x: tensor<*xf32>) -> tensor<1x4xf32> {
  %a = torch.call torch.exp(%x) : (tensor<*xf32>) -> tensor<1x4xf32>
  func.return %a : tensor<1x4xf32>
}

// -----

// CHECK: error: output 0 is scalar: a batch
func.func @main(%x: tensor<1x4xf32>) -> tensor<f32> {
  %a = torch.call torch.sum(%x) : (tensor<1x4xf32>) -> tensor<f32>
  func.return %a : tensor<f32>
}

// -----

// Nothing would tell how many samples there are.
// CHECK: error: a batch needs a model with inputs, and this one has none
func.func @main() -> tensor<1x4xf32> {
  %a = torch.call torch.full([1, 4], 0.0) : () -> tensor<1x4xf32>
  func.return %a : tensor<1x4xf32>
}
