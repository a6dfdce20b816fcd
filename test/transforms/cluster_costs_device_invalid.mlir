// RUN: not ramiel-opt %s -p 'cluster-costs{device="cuda:h100"}' 2>&1 | filecheck %s

// PyTorch has no product of integers on CUDA, and text is for the CPU: all are named, with counts.
// CHECK: error: there is no kernel for a GPU for 2 MatMul ("/m", ...), 1 StringConcat ("/s"); use --device cpu
func.func @main(%x: tensor<3x3xi64>, %t: tensor<2x!onnx.string>) -> (tensor<3x3xi64>, tensor<2x!onnx.string>) {
  %0 = torch.call operator.matmul(%x, %x) {torch.node = "/m", torch.op = "MatMul"} : (tensor<3x3xi64>, tensor<3x3xi64>) -> tensor<3x3xi64>
  %1 = torch.call operator.matmul(%0, %x) {torch.node = "/n", torch.op = "MatMul"} : (tensor<3x3xi64>, tensor<3x3xi64>) -> tensor<3x3xi64>
  %2 = torch.call ops.string_concat(%t, %t) {torch.node = "/s", torch.op = "StringConcat"} : (tensor<2x!onnx.string>, tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
  func.return %1, %2 : tensor<3x3xi64>, tensor<2x!onnx.string>
}
