// RUN: ramiel-opt --split-input-file -p onnx-dead-code %s | filecheck %s

// Chains without a use go, random ones too; what an output needs stays, and so do inputs.
// CHECK: func.func @chain(%x: tensor<4xf32>, %unused: tensor<4xf32>)
// CHECK-NEXT: %live = onnx.Relu(%x)
// CHECK-NEXT: %one, %other = onnx.Split(%live)
// CHECK-NEXT: func.return %other
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @chain(%x: tensor<4xf32>, %unused: tensor<4xf32>) -> tensor<2xf32> {
    %live = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %dead1 = onnx.Neg(%live) : (tensor<4xf32>) -> tensor<4xf32>
    %dead2 = onnx.Exp(%dead1) : (tensor<4xf32>) -> tensor<4xf32>
    %random = onnx.RandomUniformLike(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %weight = onnx.Weight "w" : tensor<4xf32>
    %custom = onnx.Custom(%x) {onnx.domain = "d", onnx.op_type = "T"} : (tensor<4xf32>) -> tensor<4xf32>
    %one, %other = onnx.Split(%live) {axis = 0 : i64} : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xf32>)
    func.return %other : tensor<2xf32>
  }
}

// -----

// What only a branch uses is alive; what is dead in a branch goes, and a dead If with all it has.
// CHECK: func.func @branches
// CHECK-NEXT: %a = onnx.Relu(%x)
// CHECK-NEXT: %y = onnx.If(%c) ({
// CHECK-NEXT: onnx.Yield(%a)
// CHECK: onnx.Yield(%x)
// CHECK-NOT: onnx.
// CHECK: func.return %y
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branches(%c: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
    %a = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %b = onnx.Neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %y = onnx.If(%c) ({
      %dead = onnx.Exp(%b) : (tensor<4xf32>) -> tensor<4xf32>
      onnx.Yield(%a) : (tensor<4xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<4xf32>) -> ()
    }) : (tensor<i1>) -> tensor<4xf32>
    %z = onnx.If(%c) ({
      onnx.Yield(%b) : (tensor<4xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<4xf32>) -> ()
    }) : (tensor<i1>) -> tensor<4xf32>
    func.return %y : tensor<4xf32>
  }
}
