// --show-refusals says on stderr why patterns did not apply to near matches, each reason once.
// RUN: ramiel-opt %s -p torch-cancel-permutes,torch-flatten-concat,torch-fold-pad,torch-fuse-bias,torch-fuse-residual,torch-fuse-activation --show-refusals 2>&1 >/dev/null | filecheck %s
// RUN: ramiel-opt %s -p torch-cancel-permutes,torch-flatten-concat,torch-fold-pad,torch-fuse-bias,torch-fuse-residual,torch-fuse-activation 2>&1 >/dev/null | filecheck %s --check-prefix SILENT --allow-empty
// SILENT-NOT: {{.}}

// Nothing is said of what is rewritten, nor of what no pattern looks for: these are first.
func.func @rewritten(%x: tensor<1x4x6x6xf32>, %s: tensor<1x4x6x6xf32>) -> (tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>) {
  %p = torch.call F.pad(%x, [1, 1, 1, 1]) {torch.node = "good/pad", torch.op = "Pad"} : (tensor<1x4x6x6xf32>) -> tensor<1x4x8x8xf32>
  %c = torch.layer Conv2d(%p) weights {weight = "w" : tensor<4x4x3x3xf32>} attributes {torch.node = "good/conv", torch.op = "Conv"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32>
  %a = torch.call operator.add(%c, %s) {torch.node = "good/add", torch.op = "Add"} : (tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %y = torch.call F.relu(%a) {torch.node = "good/relu", torch.op = "Relu"} : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %z = torch.call operator.add(%x, %s) {torch.node = "far/add", torch.op = "Add"} : (tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  func.return %y, %z : tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>
}

// The passes come in their order, and nothing but these lines is said.
// CHECK:      {{^}}note: torch-cancel-permutes: "back" (Transpose): a value between it and the permutation that it undoes has another reader{{$}}
// CHECK-NEXT: {{^}}note: torch-flatten-concat: "inner" (Concat): its result has a reader other than the concatenation{{$}}
// CHECK-NEXT: {{^}}note: torch-fold-pad: "pad" (Pad): it does not pad both ends of each dimension alike{{$}}
// CHECK-NEXT: {{^}}note: torch-fuse-bias: "bias" (Add): the value that it adds for each channel is not constant{{$}}
// CHECK-NEXT: {{^}}note: torch-fuse-residual: "bias" (Add): it broadcasts an operand{{$}}
// CHECK-NEXT: {{^}}note: torch-fuse-activation: "relu" (Relu): the result of the layer before it has another reader{{$}}
// CHECK-NEXT: {{^}}note: torch-fuse-activation: "clip" (Clip): layers do not have this activation with such arguments{{$}}
// CHECK-NOT:  {{.}}
func.func @permutes(%x: tensor<1x6x6x4xf32>) -> (tensor<1x6x6x4xf32>, tensor<1x4x6x6xf32>) {
  %1 = torch.call Tensor.permute(%x, 0, 3, 1, 2) : (tensor<1x6x6x4xf32>) -> tensor<1x4x6x6xf32>
  %2 = torch.call F.relu(%1) : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %y = torch.call Tensor.permute(%2, 0, 2, 3, 1) {torch.node = "back", torch.op = "Transpose"} : (tensor<1x4x6x6xf32>) -> tensor<1x6x6x4xf32>
  func.return %y, %2 : tensor<1x6x6x4xf32>, tensor<1x4x6x6xf32>
}

func.func @concats(%a: tensor<1x2xf32>, %b: tensor<1x2xf32>) -> (tensor<1x4xf32>, tensor<1x6xf32>) {
  %i = torch.call torch.cat([%a, %b], dim = 1) {torch.node = "inner", torch.op = "Concat"} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x4xf32>
  %o = torch.call torch.cat([%i, %b], dim = 1) {torch.node = "outer", torch.op = "Concat"} : (tensor<1x4xf32>, tensor<1x2xf32>) -> tensor<1x6xf32>
  func.return %i, %o : tensor<1x4xf32>, tensor<1x6xf32>
}

func.func @pads(%x: tensor<1x4x6x6xf32>) -> tensor<1x4x5x5xf32> {
  %p = torch.call F.pad(%x, [0, 1, 0, 1]) {torch.node = "pad", torch.op = "Pad"} : (tensor<1x4x6x6xf32>) -> tensor<1x4x7x7xf32>
  %y = torch.layer Conv2d(%p) weights {weight = "v" : tensor<4x4x3x3xf32>} : (tensor<1x4x7x7xf32>) -> tensor<1x4x5x5xf32>
  func.return %y : tensor<1x4x5x5xf32>
}

func.func @biases(%x: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %l = torch.layer Linear(%x) weights {weight = "u" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call operator.add(%l, %b) {torch.node = "bias", torch.op = "Add"} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

func.func @activations(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) {
  %l = torch.layer Linear(%x) weights {weight = "u" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = torch.call F.relu(%l) {torch.node = "relu", torch.op = "Relu"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %m = torch.layer Linear(%x) weights {weight = "u" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = torch.call torch.clamp(%m, max = 6.0) {torch.node = "clip", torch.op = "Clip"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %l, %y, %z : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}
