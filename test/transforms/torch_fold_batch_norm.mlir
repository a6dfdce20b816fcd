// RUN: python -c "import sys, numpy as np; from safetensors.numpy import save_file; save_file({'w': np.array([1, 2], 'f4').reshape(2, 1, 1, 1), 'v': np.array([1, 2], 'f4').reshape(1, 2, 1, 1), 'b': np.array([1, 1], 'f4'), 'scale': np.array([2, 6], 'f4'), 'shift': np.array([10, 20], 'f4'), 'mean': np.array([1, 2], 'f4'), 'variance': np.array([3, 8], 'f4'), 'nothing': np.array([-1, 8], 'f4')}, sys.argv[1])" %t.safetensors
// RUN: ramiel-opt --weights %t.safetensors -p torch-fold-batch-norm %s -o %t.out.mlir
// RUN: filecheck %s --input-file %t.out.mlir
// RUN: python -c "import sys; from safetensors.numpy import load_file; [print(k, v.reshape(-1).tolist()) for k, v in sorted(load_file(sys.argv[1]).items())]" %t.out.safetensors | filecheck %s --check-prefix VALUES
// RUN: ramiel-opt -p torch-fold-batch-norm %s | filecheck %s --check-prefix NAMES

// scale / sqrt(variance + eps) is 2 / sqrt(3 + 1) = 1 and 6 / sqrt(8 + 1) = 2;
// the bias is (bias - mean) * factor + shift.
// VALUES: v.bn [1.0, 4.0]
// VALUES-NEXT: v.bn.bias [9.0, 16.0]
// VALUES: w.bn [1.0, 4.0]
// VALUES-NEXT: w.bn.bias [10.0, 18.0]

// CHECK-LABEL: func.func @folded(
// CHECK-NEXT: %y = torch.layer Conv2d(%x) {stride = 2} weights {weight = "w.bn" : tensor<2x1x1x1xf32>, bias = "w.bn.bias" : tensor<2xf32>} attributes {torch.node = "/conv"} : (tensor<1x1x4x4xf32>) -> tensor<1x2x2x2xf32>
// CHECK-NEXT: func.return
// A module whose weights are names alone is left as it is.
// NAMES-LABEL: func.func @folded(
// NAMES-NEXT: torch.layer Conv2d
// NAMES-NEXT: torch.layer BatchNorm
func.func @folded(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x2x2xf32> {
  %c = torch.layer Conv2d(%x) {stride = 2} weights {weight = "w" : tensor<2x1x1x1xf32>, bias = "b" : tensor<2xf32>} attributes {torch.node = "/conv"} : (tensor<1x1x4x4xf32>) -> tensor<1x2x2x2xf32>
  %y = torch.layer BatchNorm(%c) {eps = 1.0} weights {weight = "scale" : tensor<2xf32>, bias = "shift" : tensor<2xf32>, running_mean = "mean" : tensor<2xf32>, running_var = "variance" : tensor<2xf32>} attributes {torch.node = "/norm"} : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  func.return %y : tensor<1x2x2x2xf32>
}

// CHECK-LABEL: func.func @transposed(
// CHECK-NEXT: %y = torch.layer ConvTranspose2d(%x) weights {weight = "v.bn" : tensor<1x2x1x1xf32>, bias = "v.bn.bias" : tensor<2xf32>}
// CHECK-NEXT: func.return
func.func @transposed(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = torch.layer ConvTranspose2d(%x) weights {weight = "v" : tensor<1x2x1x1xf32>} : (tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = torch.layer BatchNorm(%c) {eps = 1.0} weights {weight = "scale" : tensor<2xf32>, bias = "shift" : tensor<2xf32>, running_mean = "mean" : tensor<2xf32>, running_var = "variance" : tensor<2xf32>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}

// The convolution has another reader.
// CHECK-LABEL: func.func @shared(
// CHECK-NEXT: torch.layer Conv2d
// CHECK-NEXT: torch.layer BatchNorm
func.func @shared(%x: tensor<1x1x4x4xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
  %c = torch.layer Conv2d(%x) weights {weight = "w" : tensor<2x1x1x1xf32>} : (tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = torch.layer BatchNorm(%c) {eps = 1.0} weights {weight = "scale" : tensor<2xf32>, bias = "shift" : tensor<2xf32>, running_mean = "mean" : tensor<2xf32>, running_var = "variance" : tensor<2xf32>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  func.return %c, %y : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
}

// Its activation comes before the normalisation.
// CHECK-LABEL: func.func @activated(
// CHECK-NEXT: torch.layer Conv2d
// CHECK-NEXT: torch.layer BatchNorm
func.func @activated(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = torch.layer Conv2d(%x) {activation = "relu"} weights {weight = "w" : tensor<2x1x1x1xf32>} : (tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = torch.layer BatchNorm(%c) {eps = 1.0} weights {weight = "scale" : tensor<2xf32>, bias = "shift" : tensor<2xf32>, running_mean = "mean" : tensor<2xf32>, running_var = "variance" : tensor<2xf32>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}

// A variance of -eps would make weights infinite.
// CHECK-LABEL: func.func @infinite(
// CHECK-NEXT: torch.layer Conv2d
// CHECK-NEXT: torch.layer BatchNorm
func.func @infinite(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = torch.layer Conv2d(%x) weights {weight = "w" : tensor<2x1x1x1xf32>} : (tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = torch.layer BatchNorm(%c) {eps = 1.0} weights {weight = "scale" : tensor<2xf32>, bias = "shift" : tensor<2xf32>, running_mean = "mean" : tensor<2xf32>, running_var = "nothing" : tensor<2xf32>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}
