// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// What may not be called.

// A function that torch has but no program needs.
// CHECK: error: torch.call: 'torch.load' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call torch.load("evil.pt") : () -> tensor<4xf32>
  func.return
}

// -----

// A module of Python.
// CHECK: error: torch.call: 'os.system' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call os.system("rm -rf /") : () -> tensor<4xf32>
  func.return
}

// -----

// A builtin.
// CHECK: error: torch.call: 'eval' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call eval("1") : () -> tensor<4xf32>
  func.return
}

// -----

// A name that only looks like one of the list.
// CHECK: error: torch.call: 'torch.abs.__class__' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call torch.abs.__class__(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// The generic form goes the same way.
// CHECK: error: torch.call: "__import__('os').system" is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) <{callee = "__import__('os').system", args = [#torch.operand<0>], kwargs = {}}> : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// The generic form without its properties.
// CHECK: error: torch.call: property 'callee' expected in operation 'torch.call'
func.func @f(%x: tensor<4xf32>) {
  %y = "torch.call"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A call that Python has no syntax for: an operator of one operand, ...
// CHECK: error: torch.call: operator.add takes 2 argument(s)
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.add(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// ... one with a keyword, ...
// CHECK: error: torch.call: operator.neg takes 1 argument(s)
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.neg(%x, out = 1) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// ... a method of a number, ...
// CHECK: error: torch.call: the first argument of Tensor.reshape must be a tensor
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call Tensor.reshape(1, %x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// ... an index of a list.
// CHECK: error: torch.call: the first argument of operator.getitem must be a tensor
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call operator.getitem([%x], [0]) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An operator that changes its operand.
// CHECK: error: torch.call: 'aten.relu_.default' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call aten.relu_.default(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// One that writes to a result that it is given.
// CHECK: error: torch.call: 'aten.add.Scalar_out' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call aten.add.Scalar_out(%x, 1, out = %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// An operator of another library, and one without its overload.
// CHECK: error: torch.call: 'other.relu.default' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call other.relu.default(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: error: torch.call: 'aten.relu' is not a function that may be called
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call aten.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A tensor of nothing might be read from a file.
// CHECK: error: torch.call: aten.from_file.default has no tensor among its arguments
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call aten.from_file.default("evil", false, 4) : () -> tensor<4xf32>
  func.return
}
