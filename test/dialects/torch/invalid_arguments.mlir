// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// What may not be an argument.

// A keyword that is no identifier.
// CHECK: error: torch.call: 'a=1, b' is not a valid keyword argument
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "F.relu", args = [#torch.operand<0>], kwargs = {"a=1, b" = 1 : i64}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A keyword of Python.
// CHECK: error: torch.call: 'lambda' is not a valid keyword argument
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x, lambda = 1) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A keyword given twice.
// CHECK: 'alpha' is given twice
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x, alpha = 1, alpha = 2) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A positional argument after a keyword.
// CHECK: a positional argument after a keyword argument
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(alpha = 1, %x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An element type that torch does not have.
// CHECK: torch has no element type 'float31'
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call Tensor.to(%x, float31) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An element type in the generic form.
// CHECK: error: torch.call: torch has no element type 'evil'
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "Tensor.to", args = [#torch.operand<0>, #torch.dtype<evil>], kwargs = {}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An attribute that is not a literal.
// CHECK: error: torch.call: f32 is not a valid argument
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "F.relu", args = [#torch.operand<0>, f32], kwargs = {}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A slice of two.
// CHECK: a slice has a start, a stop and a step
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.getitem(%x, [slice(1, 2)]) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A slice that is no index.
// CHECK: error: torch.call: a slice is only allowed in an index
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call torch.sum(%x, slice(0, 1, 1)) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A slice in a list in an index.
// CHECK: error: torch.call: a slice is only allowed in an index
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.getitem(%x, [[slice(0, 1, 1)]]) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A slice up to a tensor.
// CHECK: error: torch.call: the bounds of a slice must be integers or none
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.getitem(%x, [slice(0, %x, 1)]) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}
