// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Layers that there are none of.

// A class of torch that is not in the list.
// CHECK: error: torch.layer: 'MultiheadAttention' is not a layer
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer MultiheadAttention(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A builtin.
// CHECK: error: torch.layer: 'exec' is not a layer
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer exec(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A layer without its weight.
// CHECK: error: torch.layer: a layer must have a weight
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer Linear(%x) weights {bias = "b" : tensor<4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A layer without weights.
// CHECK: Expected 'weights'
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer Linear(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An operand among the options.
// CHECK: error: torch.layer: the options of a layer cannot be tensors
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer Linear(%x) {bias = %x} weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A bad element type.
// CHECK: torch has no element type 'float8'
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer Linear(%x) {dtype = float8} weights {weight = "w" : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An option that is no identifier.
// CHECK: error: torch.layer: 'a b' is not a valid keyword argument
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.layer"(%x) <{layer = "Linear", config = {"a b" = 1 : i64}, weights = {weight = #onnx.weight<"w">}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A weight that is no identifier.
// CHECK: error: torch.layer: 'b.c' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.layer"(%x) <{layer = "Linear", config = {}, weights = {weight = #onnx.weight<"w">, "b.c" = #onnx.weight<"w">}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A weight that is none.
// CHECK: error: torch.layer: each weight must be a weight attribute
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.layer"(%x) <{layer = "Linear", config = {}, weights = {weight = 1 : i64}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// The generic form without its properties.
// CHECK: error: torch.layer: property 'layer' expected in operation 'torch.layer'
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.layer"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A weight without a name.
// CHECK: error: torch.weight: property 'value' expected in operation 'torch.weight'
func.func @f(%x: tensor<4xf32>) {
  %w = "torch.weight"() : () -> tensor<4xf32>
  func.return
}
