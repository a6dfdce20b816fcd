// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of operators with subgraphs, and of values out of their scope.

// One branch of two.
// CHECK: error: node "if" (If, opset 17): expected 2 region(s) (else_branch, then_branch), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.If "if"(%c) ({
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }) : (tensor<i1>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A loop without a body.
// CHECK: error: node "y" (Loop, opset 17): expected 1 region(s) (body), got 0
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.Loop(%n, %c, %x) : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A body where there is none.
// CHECK: error: node "y" (Relu, opset 17): expected 0 region(s), got 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %y = onnx.Relu(%x) ({
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A subgraph is a region, no attribute.
// CHECK: error: node "y" (If, opset 17): unknown attribute 'then_branch'; If has: else_branch, then_branch
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.If(%c) {then_branch = "x"} : (tensor<i1>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A condition that is no boolean.
// CHECK: error: node "y" (If, opset 17): input 0 (cond) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %y = onnx.If(%x) ({
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// The number of scanned inputs is required.
// CHECK: error: node "y" (Scan, opset 17): attribute 'num_scan_inputs' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %y = onnx.Scan(%x) ({
    ^bb0(%e: tensor<f32>):
      onnx.Yield(%e) : (tensor<f32>) -> ()
    }) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A value before its definition, ...
// CHECK: error: node "early" (Relu, opset 17): it uses %z before its definition
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %y = onnx.Relu "early"(%z) : (tensor<2xf32>) -> tensor<2xf32>
    %z = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... in a subgraph too, ...
// CHECK: error: node "?" (Yield, opset 17): it uses %z before its definition
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.If(%c) ({
      onnx.Yield(%z) : (tensor<2xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }) : (tensor<i1>) -> tensor<2xf32>
    %z = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// ... and an operation that uses its own result.
// CHECK: error: node "y" (Add, opset 17): it uses %y before its definition
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %y = onnx.Add(%x, %y) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A branch yields what the operation returns, a loop's body the condition, too.
// CHECK: error: node "?" (If, opset 17): its subgraphs must yield 1 value(s), one yields 2
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
    %0 = onnx.If(%c) ({
      onnx.Yield(%x) : (tensor<2xf32>) -> ()
    }, {
      onnx.Yield(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> ()
    }) : (tensor<i1>) -> tensor<2xf32>
    func.return
  }
}

// -----

// CHECK: error: node "y" (Loop, opset 17): its subgraphs must yield 2 value(s), one yields 1
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<2xf32>) {
    %y = onnx.Loop(%n, %c, %x) ({
    ^bb0(%i: tensor<i64>, %go: tensor<i1>, %v: tensor<2xf32>):
      onnx.Yield(%v) : (tensor<2xf32>) -> ()
    }) : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}
