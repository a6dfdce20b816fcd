// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Operands that the arguments do not hold, or that are not there.

// An operand that no argument holds.
// CHECK: error: torch.call: the arguments must hold each operand once, in order
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x, %x) <{callee = "F.relu", args = [#torch.operand<0>], kwargs = {}}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An operand twice.
// CHECK: error: torch.call: the arguments must hold each operand once, in order
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "operator.add", args = [#torch.operand<0>, #torch.operand<0>], kwargs = {}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Operands out of order.
// CHECK: error: torch.call: the arguments must hold each operand once, in order
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x, %x) <{callee = "operator.add", args = [#torch.operand<1>, #torch.operand<0>], kwargs = {}}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An operand that there is none of.
// CHECK: error: torch.call: the arguments must hold each operand once, in order
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "operator.add", args = [#torch.operand<0>, #torch.operand<1>], kwargs = {}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// More types than operands.
// CHECK: expected 2 operand types but had 1
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A value that is freed twice at once.
// CHECK: error: torch.free: expected one or more distinct values
func.func @f(%x: tensor<4xf32>) {
  torch.free %x, %x : tensor<4xf32>, tensor<4xf32>
  func.return
}

// -----

// A value after it is freed.
// CHECK: error: torch.call: it uses %x before its definition or after it is freed
func.func @f(%x: tensor<4xf32>) {
  torch.free %x : tensor<4xf32>
  %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A value before its definition.
// CHECK: error: torch.call: it uses %z before its definition or after it is freed
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%z) : (tensor<4xf32>) -> tensor<4xf32>
  %z = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}
