// RUN: ramiel-opt -p onnx-infer-shapes %s | filecheck %s

// The operators of other domains that ONNX defines have schemas, too: of the opset that the module
// records for the domain.

builtin.module attributes {onnx.opset = 17 : i64, onnx.opsets = {ai.onnx.ml = 3 : i64}} {
  // CHECK: func.func @main
  func.func @main(%x: tensor<4x3xf32>) {
    // A rule of ONNX's,
    // CHECK: onnx.op_type = "Binarizer"} : (tensor<4x3xf32>) -> tensor<4x3xf32>
    %a = onnx.Custom(%x) {onnx.domain = "ai.onnx.ml", onnx.op_type = "Binarizer"} : (tensor<4x3xf32>) -> tensor<*x!onnx.unknown>
    // or the only type that the schema allows.
    // CHECK: onnx.op_type = "Scaler"} : (tensor<4x3xf32>) -> tensor<4x3xf32>
    %b = onnx.Custom(%a) {onnx.domain = "ai.onnx.ml", onnx.op_type = "Scaler"} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.op_type = "LinearRegressor"} : (tensor<4x3xf32>) -> tensor<*xf32>
    %c = onnx.Custom(%b) {onnx.domain = "ai.onnx.ml", onnx.op_type = "LinearRegressor"} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    // Of a domain that ONNX does not define nothing is known but what our own rules say.
    // CHECK: onnx.op_type = "Gelu"} : (tensor<*xf32>) -> tensor<*xf32>
    %d = onnx.Custom(%c) {onnx.domain = "com.microsoft", onnx.op_type = "Gelu"} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    // CHECK: onnx.op_type = "Unheard"} : (tensor<*xf32>) -> tensor<*x!onnx.unknown>
    %e = onnx.Custom(%d) {onnx.domain = "com.example", onnx.op_type = "Unheard"} : (tensor<*x!onnx.unknown>) -> tensor<*x!onnx.unknown>
    func.return
  }
}
