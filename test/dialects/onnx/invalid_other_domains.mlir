// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of operators of other domains that ONNX defines.

// CHECK: error: node "s" (ai.onnx.ml::Scaler, opset 3): unknown attribute 'size'; ai.onnx.ml::Scaler has: offset, scale
builtin.module attributes {onnx.opset = 17 : i64, onnx.opsets = {ai.onnx.ml = 3 : i64}} {
  func.func @f(%x: tensor<2xf32>) {
    %s = onnx.Custom(%x) {size = 1 : i64, onnx.domain = "ai.onnx.ml", onnx.op_type = "Scaler"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// CHECK: error: node "s" (ai.onnx.ml::Scaler, opset 3): expected 1 input(s), got 2
builtin.module attributes {onnx.opset = 17 : i64, onnx.opsets = {ai.onnx.ml = 3 : i64}} {
  func.func @f(%x: tensor<2xf32>) {
    %s = onnx.Custom(%x, %x) {onnx.domain = "ai.onnx.ml", onnx.op_type = "Scaler"} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// CHECK: error: node "t" (ai.onnx.ml::TreeEnsemble, opset 3): ai.onnx.ml::TreeEnsemble is not in opset 3: it came with opset 5
builtin.module attributes {onnx.opset = 17 : i64, onnx.opsets = {ai.onnx.ml = 3 : i64}} {
  func.func @f(%x: tensor<2x2xf32>) {
    %t = onnx.Custom(%x) {onnx.domain = "ai.onnx.ml", onnx.op_type = "TreeEnsemble"} : (tensor<2x2xf32>) -> tensor<2x1xf32>
    func.return
  }
}

// -----

// CHECK: error: node "f" (ai.onnx.ml::Frobnicate, opset 3): ai.onnx.ml has no such operator
builtin.module attributes {onnx.opset = 17 : i64, onnx.opsets = {ai.onnx.ml = 3 : i64}} {
  func.func @f(%x: tensor<2xf32>) {
    %f = onnx.Custom(%x) {onnx.domain = "ai.onnx.ml", onnx.op_type = "Frobnicate"} : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}
