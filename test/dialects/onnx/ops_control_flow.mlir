// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// If, Loop and Scan: a region for each subgraph, in the order of the attributes' names, with values
// captured from outside.

// CHECK: builtin.module attributes {onnx.opset = 21 : i64} {
builtin.module attributes {onnx.opset = 21 : i64} {
  // CHECK: func.func @branches(%c: tensor<i1>, %x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  func.func @branches(%c: tensor<i1>, %x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
    // CHECK-NEXT: %if.a, %if.b = onnx.If "if"(%c) ({
    %if.a, %if.b = onnx.If "if"(%c) ({
      // CHECK-NEXT: %less = onnx.Neg "in_else"(%y) : (tensor<2xf32>) -> tensor<2xf32>
      %less = onnx.Neg "in_else"(%y) : (tensor<2xf32>) -> tensor<2xf32>
      // CHECK-NEXT: onnx.Yield(%less, %x) : (tensor<2xf32>, tensor<2xf32>) -> ()
      onnx.Yield(%less, %x) : (tensor<2xf32>, tensor<2xf32>) -> ()
    // CHECK-NEXT: }, {
    }, {
      // CHECK-NEXT: %nested = onnx.If(%c) ({
      %nested = onnx.If(%c) ({
        // CHECK-NEXT: onnx.Yield(%x) : (tensor<2xf32>) -> ()
        onnx.Yield(%x) : (tensor<2xf32>) -> ()
      // CHECK-NEXT: }, {
      }, {
        // CHECK-NEXT: onnx.Yield(%y) : (tensor<2xf32>) -> ()
        onnx.Yield(%y) : (tensor<2xf32>) -> ()
      // CHECK-NEXT: }) : (tensor<i1>) -> tensor<2xf32>
      }) : (tensor<i1>) -> tensor<2xf32>
      // CHECK-NEXT: onnx.Yield(%nested, %y) : (tensor<2xf32>, tensor<2xf32>) -> ()
      onnx.Yield(%nested, %y) : (tensor<2xf32>, tensor<2xf32>) -> ()
    // CHECK-NEXT: }) : (tensor<i1>) -> (tensor<2xf32>, tensor<2xf32>)
    }) : (tensor<i1>) -> (tensor<2xf32>, tensor<2xf32>)
    // CHECK-NEXT: func.return %if.a, %if.b : tensor<2xf32>, tensor<2xf32>
    func.return %if.a, %if.b : tensor<2xf32>, tensor<2xf32>
  }

  // CHECK: func.func @loops(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<2xf32>) {
  func.func @loops(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<2xf32>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // The state, and what each turn yields, stacked.
    // CHECK-NEXT: %state, %stacked = onnx.Loop "loop"(%n, %c, %x) ({
    %state, %stacked = onnx.Loop "loop"(%n, %c, %x) ({
    // CHECK-NEXT: ^bb0(%turn: tensor<i64>, %go: tensor<i1>, %before: tensor<2xf32>):
    ^bb0(%turn: tensor<i64>, %go: tensor<i1>, %before: tensor<2xf32>):
      // CHECK-NEXT: %after = onnx.Add(%before, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      %after = onnx.Add(%before, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      // CHECK-NEXT: onnx.Yield(%go, %after, %turn) : (tensor<i1>, tensor<2xf32>, tensor<i64>) -> ()
      onnx.Yield(%go, %after, %turn) : (tensor<i1>, tensor<2xf32>, tensor<i64>) -> ()
    // CHECK-NEXT: }) : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> (tensor<2xf32>, tensor<?xi64>)
    }) : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> (tensor<2xf32>, tensor<?xi64>)
    // Without a trip count and without a condition.
    // CHECK-NEXT: %forever = onnx.Loop(%none, %none, %x) ({
    %forever = onnx.Loop(%none, %none, %x) ({
    // CHECK-NEXT: ^bb0(%turn_a: tensor<i64>, %go_a: tensor<i1>, %s: tensor<2xf32>):
    ^bb0(%turn_a: tensor<i64>, %go_a: tensor<i1>, %s: tensor<2xf32>):
      // CHECK-NEXT: onnx.Yield(%go_a, %s) : (tensor<i1>, tensor<2xf32>) -> ()
      onnx.Yield(%go_a, %s) : (tensor<i1>, tensor<2xf32>) -> ()
    // CHECK-NEXT: }) : (none, none, tensor<2xf32>) -> tensor<2xf32>
    }) : (none, none, tensor<2xf32>) -> tensor<2xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @scans(%init: tensor<2xf32>, %xs: tensor<5x2xf32>) {
  func.func @scans(%init: tensor<2xf32>, %xs: tensor<5x2xf32>) {
    // CHECK-NEXT: %sum, %sums = onnx.Scan "scan"(%init, %xs) ({
    %sum, %sums = onnx.Scan "scan"(%init, %xs) ({
    // CHECK-NEXT: ^bb0(%acc: tensor<2xf32>, %x: tensor<2xf32>):
    ^bb0(%acc: tensor<2xf32>, %x: tensor<2xf32>):
      // CHECK-NEXT: %next = onnx.Add(%acc, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      %next = onnx.Add(%acc, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      // CHECK-NEXT: onnx.Yield(%next, %next) : (tensor<2xf32>, tensor<2xf32>) -> ()
      onnx.Yield(%next, %next) : (tensor<2xf32>, tensor<2xf32>) -> ()
    // CHECK-NEXT: }) {num_scan_inputs = 1 : i64, scan_input_directions = array<i64: 1>} : (tensor<2xf32>, tensor<5x2xf32>) -> (tensor<2xf32>, tensor<5x2xf32>)
    }) {num_scan_inputs = 1 : i64, scan_input_directions = array<i64: 1>} : (tensor<2xf32>, tensor<5x2xf32>) -> (tensor<2xf32>, tensor<5x2xf32>)
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @maps(%s: !onnx.seq<tensor<?xf32>>, %x: tensor<1xf32>) {
  func.func @maps(%s: !onnx.seq<tensor<?xf32>>, %x: tensor<1xf32>) {
    // CHECK-NEXT: %mapped = onnx.SequenceMap(%s, %x) ({
    %mapped = onnx.SequenceMap(%s, %x) ({
    // CHECK-NEXT: ^bb0(%item: tensor<?xf32>, %y: tensor<1xf32>):
    ^bb0(%item: tensor<?xf32>, %y: tensor<1xf32>):
      // CHECK-NEXT: %sum = onnx.Add(%item, %y) : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
      %sum = onnx.Add(%item, %y) : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
      // CHECK-NEXT: onnx.Yield(%sum) : (tensor<?xf32>) -> ()
      onnx.Yield(%sum) : (tensor<?xf32>) -> ()
    // CHECK-NEXT: }) : (!onnx.seq<tensor<?xf32>>, tensor<1xf32>) -> !onnx.seq<tensor<?xf32>>
    }) : (!onnx.seq<tensor<?xf32>>, tensor<1xf32>) -> !onnx.seq<tensor<?xf32>>
    // CHECK-NEXT: func.return
    func.return
  }
}
