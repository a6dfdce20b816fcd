// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Calls of every prefix, and how Python reads them.

// CHECK: func.func @functions(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @functions(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  %r0 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call torch.full([2, 3], 0.5, dtype = float32) : () -> tensor<?x?xf32>
  %r1 = torch.call torch.full([2, 3], 0.5, dtype = float32) : () -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call F.relu(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call F.relu(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r3 = torch.call F.pad(%a, [0, 1, 2, 3], value = -inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r3 = torch.call F.pad(%a, [0, 1, 2, 3], value = -inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r4 = torch.call ops.reshape(%a, %b) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  %r4 = torch.call ops.reshape(%a, %b) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @methods(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @methods(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call Tensor.reshape(%a, -1, 24) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r0 = torch.call Tensor.reshape(%a, -1, 24) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call Tensor.to(%a, int64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r1 = torch.call Tensor.to(%a, int64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call Tensor.mT(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call Tensor.mT(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @operators(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @operators(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call operator.add(%a, %b) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  %r0 = torch.call operator.add(%a, %b) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call operator.mul(%a, 2.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r1 = torch.call operator.mul(%a, 2.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call operator.sub(1, %a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call operator.sub(1, %a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r3 = torch.call operator.neg(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r3 = torch.call operator.neg(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r4 = torch.call operator.invert(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r4 = torch.call operator.invert(%a) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // The same value twice is two operands.
  // CHECK-NEXT: %r5 = torch.call operator.pow(%a, %a) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  %r5 = torch.call operator.pow(%a, %a) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r6 = torch.call operator.getitem(%a, [slice(none, none, none), slice(0, -1, 2)]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r6 = torch.call operator.getitem(%a, [slice(none, none, none), slice(0, -1, 2)]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r7 = torch.call operator.getitem(%a, [slice(1, none, none), 0, none]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r7 = torch.call operator.getitem(%a, [slice(1, none, none), 0, none]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @results(%a: tensor<4x6xf32>) {
func.func @results(%a: tensor<4x6xf32>) {
  // CHECK-NEXT: %x, %y = torch.call torch.split(%a, [2, 2], dim = 0) : (tensor<4x6xf32>) -> (tensor<2x6xf32>, tensor<2x6xf32>)
  %x, %y = torch.call torch.split(%a, [2, 2], dim = 0) : (tensor<4x6xf32>) -> (tensor<2x6xf32>, tensor<2x6xf32>)
  // CHECK-NEXT: torch.free %y, %a : tensor<2x6xf32>, tensor<4x6xf32>
  torch.free %y, %a : tensor<2x6xf32>, tensor<4x6xf32>
  // CHECK-NEXT: %n = torch.call F.relu(%x) {torch.node = "/relu \C3\BC", torch.op = "Relu", torch.names = ["relu"]} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %n = torch.call F.relu(%x) {torch.node = "/relu \C3\BC", torch.op = "Relu", torch.names = ["relu"]} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  // CHECK-NEXT: func.return
  func.return
}

// Operators of aten that no lowering has another call for.
// CHECK: func.func @aten(%a: tensor<4x6xf32>) {
func.func @aten(%a: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call aten.roll.default(%a, [1], [0]) : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %r0 = torch.call aten.roll.default(%a, [1], [0]) : (tensor<4x6xf32>) -> tensor<4x6xf32>
  // CHECK-NEXT: func.return
  func.return
}
