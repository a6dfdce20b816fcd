// RUN: ramiel-opt -p onnx-fold-batch-norm,onnx-dead-code %s -o %t.mlir
// RUN: python -c "import sys; from safetensors.numpy import load_file; [print(k, v.reshape(-1).tolist()) for k, v in sorted(load_file(sys.argv[1]).items())]" %t.safetensors | filecheck %s

// scale / sqrt(variance + epsilon) is 2 / sqrt(3 + 1) = 1 and 6 / sqrt(8 + 1) = 2;
// the bias is (0 - mean) * factor + shift.
// CHECK: w.bn [1.0, 4.0]
// CHECK-NEXT: w.bn.bias [9.0, 16.0]
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @folded(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
    %w = onnx.Constant() {value = dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
    %scale = onnx.Constant() {value = dense<[2.0, 6.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %shift = onnx.Constant() {value = dense<[10.0, 20.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %mean = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %variance = onnx.Constant() {value = dense<[3.0, 8.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    %c = onnx.Conv(%x, %w) : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
    %y = onnx.BatchNormalization(%c, %scale, %shift, %mean, %variance) {epsilon = 1.0 : f32} : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
    func.return %y : tensor<1x2x4x4xf32>
  }
}
