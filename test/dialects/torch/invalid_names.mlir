// RUN: ramiel-opt --split-input-file --verify-diagnostics --parsing-diagnostics %s | filecheck %s

// Names that would be code in the program.

// Code for a name.
// CHECK: error: torch.call: 'x; import os' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["x; import os"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A digit first.
// CHECK: error: torch.call: '1x' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["1x"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// No name.
// CHECK: error: torch.call: '' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = [""]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A line break after the name.
// CHECK: error: torch.call: 'x\n' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["x\0A"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A keyword of Python.
// CHECK: error: torch.call: 'lambda' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["lambda"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Letters that are not ASCII.
// CHECK: error: torch.call: 'ü' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["\C3\BC"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// A number.
// CHECK: error: torch.call: '' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = [1 : i64]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// More names than results.
// CHECK: error: torch.call: expected one Python name for each result
func.func @f(%x: tensor<4xf32>) {
  %y = torch.call F.relu(%x) {torch.names = ["a", "b"]} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Code for the name of a layer.
// CHECK: error: torch.layer: 'a(b)' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %y = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} attributes {torch.layer_name = "a(b)"} : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Code for the name of a weight.
// CHECK: error: torch.weight: 'a.b' is not a Python identifier
func.func @f(%x: tensor<4xf32>) {
  %w = torch.weight "w" {torch.layer_name = "a.b"} : tensor<4xf32>
  func.return
}
