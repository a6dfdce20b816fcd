// RUN: ramiel-opt %s -p torch-assign-names --split-input-file | filecheck %s

// Names come from the nodes' paths, without what all share and what exporters repeat; where a
// node's name says nothing, from the value; where that says nothing either, from the operator.
// They are distinct, and calls of one layer share it.
builtin.module attributes {onnx.model = "my-model v2"} {
  func.func @main(%arg: tensor<1x3x8x8xf32> {onnx.name = "class"}, %in: tensor<1x3x8x8xf32> {onnx.name = "input.1"}) -> tensor<1x3x8x8xf32> {
    %0 = torch.layer Conv2d(%arg) weights {weight = "w" : tensor<3x3x1x1xf32>} attributes {torch.node = "/net/stem/stem.0/Conv", torch.op = "Conv"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
    %1 = torch.layer Conv2d(%in) weights {weight = "w" : tensor<3x3x1x1xf32>} attributes {torch.node = "/net/twin/Conv_1", torch.op = "Conv"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
    %padded = torch.call F.pad(%1, [1, 1]) {torch.node = "/net/twin/Pad", torch.op = "Pad"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x10xf32>
    %sum.3 = torch.call operator.add(%0, %1) {torch.node = "n7", torch.op = "Add"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
    %v.12 = torch.call F.relu(%sum.3) {torch.node = "Relu_4", torch.op = "Relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
    %v.13 = torch.call F.relu(%v.12) {torch.node = "/net/import/Relu", torch.op = "Relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
    %k = torch.weight "a very long name of a weight, longer than any line" : tensor<8xf32>
    %v.14 = torch.call operator.mul(%v.13, %k) {torch.node = "/net/import/Relu", torch.op = "Mul"} : (tensor<1x3x8x8xf32>, tensor<8xf32>) -> tensor<1x3x8x8xf32>
    func.return %v.14 : tensor<1x3x8x8xf32>
  }
}

// CHECK: torch.class = "MyModelV2"
// CHECK: torch.name = "class_"
// CHECK: torch.name = "input_1"
// CHECK: Conv2d(%arg){{.*}}torch.names = ["stem_0"], torch.layer_name = "stem_0"
// CHECK: Conv2d(%in){{.*}}torch.names = ["twin"], torch.layer_name = "stem_0"
// CHECK: F.pad{{.*}}torch.names = ["twin_pad"]
// CHECK: operator.add{{.*}}torch.names = ["sum_3"]
// CHECK: F.relu(%sum.3){{.*}}torch.names = ["relu_12"]
// CHECK: F.relu(%v.12){{.*}}torch.names = ["import_relu"]
// CHECK: torch.weight{{.*}}torch.layer_name = "k"
// CHECK: operator.mul{{.*}}torch.names = ["import_relu_2"]

// -----

// An input keeps a name that is one, whatever stands before it. A method is no builtin, which it
// would hide from the annotations after it; a weight is nothing that compile() adds to a program.
builtin.module attributes {onnx.model = "ValueError"} {
  func.func @main(%a: tensor<4xf32> {onnx.name = "a.b"}, %b: tensor<i1> {onnx.name = "a_b"}) -> tensor<4xf32> {
    %c = torch.if(%b, %a) ({
    ^bb0(%list : tensor<4xf32>):
      torch.yield %list : tensor<4xf32>
    }, {
    ^bb1(%max : tensor<4xf32>):
      %sum = torch.call torch.exp(%max) {torch.op = "Exp"} : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %sum : tensor<4xf32>
    }) {torch.node = "max", torch.op = "If"} : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    %save = torch.weight "save" : tensor<4xf32>
    %report = torch.call operator.mul(%c, %save) {torch.op = "Mul"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    func.return %report : tensor<4xf32>
  }
}

// CHECK: torch.class = "ValueError_"
// CHECK: torch.name = "a_b_2"
// CHECK: torch.name = "a_b"
// CHECK: torch.names = ["sum"]
// CHECK: torch.names = ["max"], torch.method = "max_", torch.parameters = ["condition", "list_"]
// CHECK: torch.layer_name = "save_"
// CHECK: torch.names = ["report"]
