// RUN: ramiel-opt --split-input-file %s -p onnx-to-torch | filecheck %s

// What bodies read from outside becomes operands; constants and weights they have themselves. The
// then branch comes first.
// CHECK: func.func @branch
// CHECK-NEXT: %y = torch.if(%c, %z, %x) ({
// CHECK-NEXT: ^bb0(%[[Z:.+]]: tensor<3xf32>, %[[X:.+]]: tensor<3xf32>):
// CHECK-NEXT:   %[[W:.+]] = torch.weight "w" : tensor<3xf32>
// CHECK-NEXT:   %[[R:.+]] = torch.call operator.mul(%[[X]], %[[W]]) {torch.node = "inner", torch.op = "Mul"}
// CHECK-NEXT:   torch.yield %[[R]] : tensor<3xf32>
// CHECK-NEXT: }, {
// CHECK-NEXT: ^bb0(%[[Z2:.+]]: tensor<3xf32>, %{{.+}}: tensor<3xf32>):
// CHECK-NEXT:   torch.yield %[[Z2]] : tensor<3xf32>
// CHECK-NEXT: }) {torch.node = "if", torch.op = "If"} : (tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @branch(%c: tensor<i1>, %x: tensor<3xf32>, %z: tensor<3xf32>) -> tensor<3xf32> {
    %w = onnx.Weight "w" : tensor<3xf32>
    %y = onnx.If "if"(%c) ({
      onnx.Yield(%z) : (tensor<3xf32>) -> ()
    }, {
      %m = onnx.Mul "inner"(%x, %w) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%m) : (tensor<3xf32>) -> ()
    }) : (tensor<i1>) -> tensor<3xf32>
    func.return %y : tensor<3xf32>
  }
}

// -----

// A condition that is a list of one element.
// CHECK: %[[C:.+]] = torch.call Tensor.reshape(%c, []) {{.*}} : (tensor<1xi1>) -> tensor<i1>
// CHECK-NEXT: torch.if(%[[C]], %x) ({
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @list(%c: tensor<1xi1>, %x: tensor<3xf32>) -> tensor<3xf32> {
    %y = onnx.If(%c) ({
      onnx.Yield(%x) : (tensor<3xf32>) -> ()
    }, {
      onnx.Yield(%x) : (tensor<3xf32>) -> ()
    }) : (tensor<1xi1>) -> tensor<3xf32>
    func.return %y : tensor<3xf32>
  }
}

// -----

// A condition that is true before and stays so is none.
// CHECK: %last, %all = torch.loop(%n, %x, %x) ({
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<i64>, %[[A:.+]]: tensor<3xf32>, %[[X:.+]]: tensor<3xf32>):
// CHECK-NEXT:   %[[S:.+]] = torch.call operator.add(%[[A]], %[[X]])
// CHECK-NEXT:   torch.yield %[[S]], %[[A]] : tensor<3xf32>, tensor<3xf32>
// CHECK-NEXT: }) {counted = true, conditional = false, states = 1 : i64, {{.*}}} : (tensor<i64>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @counted(%n: tensor<i64>, %x: tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>) {
    %go = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
    %last, %all = onnx.Loop(%n, %go, %x) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<3xf32>):
      %same = onnx.Identity(%k) : (tensor<i1>) -> tensor<i1>
      %s = onnx.Add(%a, %x) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%same, %s, %a) : (tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> ()
    }) : (tensor<i64>, tensor<i1>, tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>)
    func.return %last, %all : tensor<3xf32>, tensor<?x3xf32>
  }
}

// -----

// Without a count; the condition is computed, and at first it is true.
// CHECK: %[[GO:.+]] = torch.weight "const.condition" : tensor<i1>
// CHECK: %y = torch.loop(%[[GO]], %x) ({
// CHECK-NEXT: ^bb0(%[[I:.+]]: tensor<i64>, %{{.+}}: tensor<i1>, %[[A:.+]]: tensor<3xf32>):
// CHECK-NEXT:   %[[L:.+]] = torch.call operator.lt(%[[I]], 5)
// CHECK-NEXT:   torch.yield %[[L]], %[[A]] : tensor<i1>, tensor<3xf32>
// CHECK-NEXT: }) {counted = false, conditional = true, states = 1 : i64
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @conditional(%x: tensor<3xf32>) -> tensor<3xf32> {
    %none = onnx.NoValue() : () -> none
    %five = onnx.Constant() {value = dense<5> : tensor<i64>} : () -> tensor<i64>
    %y = onnx.Loop(%none, %none, %x) ({
    ^bb0(%i: tensor<i64>, %k: tensor<i1>, %a: tensor<3xf32>):
      %l = onnx.Less(%i, %five) : (tensor<i64>, tensor<i64>) -> tensor<i1>
      onnx.Yield(%l, %a) : (tensor<i1>, tensor<3xf32>) -> ()
    }) : (none, none, tensor<3xf32>) -> tensor<3xf32>
    func.return %y : tensor<3xf32>
  }
}

// -----

// Some exporters have the number of the iteration as a list.
// CHECK: torch.loop(%n, %x) ({
// CHECK-NEXT: ^bb0(%[[I:.+]]: tensor<i64>, %{{.+}}: tensor<1xi64>):
// CHECK-NEXT:   %[[L:.+]] = torch.call Tensor.reshape(%[[I]], 1) : (tensor<i64>) -> tensor<1xi64>
// CHECK-NEXT:   torch.yield %[[L]] : tensor<1xi64>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @list_step(%n: tensor<i64>, %x: tensor<1xi64>) -> tensor<1xi64> {
    %none = onnx.NoValue() : () -> none
    %y = onnx.Loop(%n, %none, %x) ({
    ^bb0(%i: tensor<1xi64>, %k: tensor<i1>, %a: tensor<1xi64>):
      onnx.Yield(%k, %i) : (tensor<i1>, tensor<1xi64>) -> ()
    }) : (tensor<i64>, none, tensor<1xi64>) -> tensor<1xi64>
    func.return %y : tensor<1xi64>
  }
}

// -----

// A Scan is a loop over slices, and what it stacks is turned and moved afterwards.
// CHECK: %[[N:.+]] = torch.call ops.length(%xs, 1)
// CHECK-NEXT: %sum, %[[ALL:.+]] = torch.loop(%[[N]], %s, %xs) ({
// CHECK-NEXT: ^bb0(%[[I:.+]]: tensor<i64>, %[[A:.+]]: tensor<3xf32>, %[[XS:.+]]: tensor<3x5xf32>):
// CHECK-NEXT:   %[[X:.+]] = torch.call ops.part(%[[XS]], 1, %[[I]], reverse = true) : (tensor<3x5xf32>, tensor<i64>) -> tensor<3xf32>
// CHECK-NEXT:   %[[S:.+]] = torch.call operator.add(%[[A]], %[[X]])
// CHECK-NEXT:   torch.yield %[[S]], %[[S]] : tensor<3xf32>, tensor<3xf32>
// CHECK-NEXT: }) {counted = true, conditional = false, states = 1 : i64, {{.*}}} : (tensor<i64>, tensor<3xf32>, tensor<3x5xf32>) -> (tensor<3xf32>, tensor<5x3xf32>)
// CHECK-NEXT: %[[F:.+]] = torch.call torch.flip(%[[ALL]], [0]) {{.*}} : (tensor<5x3xf32>) -> tensor<5x3xf32>
// CHECK-NEXT: %all = torch.call torch.movedim(%[[F]], 0, 1) {{.*}} : (tensor<5x3xf32>) -> tensor<3x5xf32>
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @scan(%s: tensor<3xf32>, %xs: tensor<3x5xf32>) -> (tensor<3xf32>, tensor<3x5xf32>) {
    %sum, %all = onnx.Scan(%s, %xs) ({
    ^bb0(%a: tensor<3xf32>, %x: tensor<3xf32>):
      %next = onnx.Add(%a, %x) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
      onnx.Yield(%next, %next) : (tensor<3xf32>, tensor<3xf32>) -> ()
    }) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 1>, scan_input_directions = array<i64: 1>, scan_output_axes = array<i64: 1>, scan_output_directions = array<i64: 1>} : (tensor<3xf32>, tensor<3x5xf32>) -> (tensor<3xf32>, tensor<3x5xf32>)
    func.return %sum, %all : tensor<3xf32>, tensor<3x5xf32>
  }
}
