// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Arguments: every kind of literal, nested, as an argument and by keyword.

// CHECK: func.func @numbers(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @numbers(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call F.elu(%a, 0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r0 = torch.call F.elu(%a, 0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call F.elu(%a, -3) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r1 = torch.call F.elu(%a, -3) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call F.elu(%a, 9223372036854775807) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call F.elu(%a, 9223372036854775807) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r3 = torch.call F.elu(%a, 0.1) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r3 = torch.call F.elu(%a, 0.1) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r4 = torch.call F.elu(%a, -0.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r4 = torch.call F.elu(%a, -0.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r5 = torch.call F.elu(%a, 1.0e-12) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r5 = torch.call F.elu(%a, 1.0e-12) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r6 = torch.call F.elu(%a, -1.5e+300) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r6 = torch.call F.elu(%a, -1.5e+300) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r7 = torch.call F.elu(%a, 1.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r7 = torch.call F.elu(%a, 1.0) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r8 = torch.call F.elu(%a, inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r8 = torch.call F.elu(%a, inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r9 = torch.call F.elu(%a, -inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r9 = torch.call F.elu(%a, -inf) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r10 = torch.call F.elu(%a, nan) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r10 = torch.call F.elu(%a, nan) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r11 = torch.call F.elu(%a, true, inplace = false) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r11 = torch.call F.elu(%a, true, inplace = false) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @words(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @words(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call F.interpolate(%a, none, scale_factor = none) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r0 = torch.call F.interpolate(%a, none, scale_factor = none) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call F.interpolate(%a, mode = "bilinear") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r1 = torch.call F.interpolate(%a, mode = "bilinear") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call F.interpolate(%a, mode = "") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call F.interpolate(%a, mode = "") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r3 = torch.call F.interpolate(%a, mode = "\22quoted\22, 'single', \\ and \C3\BC") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r3 = torch.call F.interpolate(%a, mode = "\22quoted\22, 'single', \\ and \C3\BC") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r4 = torch.call F.interpolate(%a, mode = "none") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r4 = torch.call F.interpolate(%a, mode = "none") : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r5 = torch.call Tensor.to(%a, float16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r5 = torch.call Tensor.to(%a, float16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r6 = torch.call Tensor.to(%a, float32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r6 = torch.call Tensor.to(%a, float32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r7 = torch.call Tensor.to(%a, float64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r7 = torch.call Tensor.to(%a, float64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r8 = torch.call Tensor.to(%a, bfloat16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r8 = torch.call Tensor.to(%a, bfloat16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r9 = torch.call Tensor.to(%a, int8) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r9 = torch.call Tensor.to(%a, int8) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r10 = torch.call Tensor.to(%a, int16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r10 = torch.call Tensor.to(%a, int16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r11 = torch.call Tensor.to(%a, int32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r11 = torch.call Tensor.to(%a, int32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r12 = torch.call Tensor.to(%a, int64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r12 = torch.call Tensor.to(%a, int64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r13 = torch.call Tensor.to(%a, uint8) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r13 = torch.call Tensor.to(%a, uint8) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r14 = torch.call Tensor.to(%a, uint16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r14 = torch.call Tensor.to(%a, uint16) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r15 = torch.call Tensor.to(%a, uint32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r15 = torch.call Tensor.to(%a, uint32) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r16 = torch.call Tensor.to(%a, uint64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r16 = torch.call Tensor.to(%a, uint64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r17 = torch.call Tensor.to(%a, bool) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r17 = torch.call Tensor.to(%a, bool) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r18 = torch.call Tensor.to(%a, complex64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r18 = torch.call Tensor.to(%a, complex64) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r19 = torch.call Tensor.to(%a, complex128) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r19 = torch.call Tensor.to(%a, complex128) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK: func.func @lists(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
func.func @lists(%a: tensor<4x6xf32>, %b: tensor<4x6xf32>) {
  // CHECK-NEXT: %r0 = torch.call torch.cat([]) : () -> tensor<?x?xf32>
  %r0 = torch.call torch.cat([]) : () -> tensor<?x?xf32>
  // CHECK-NEXT: %r1 = torch.call torch.cat([%a]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  %r1 = torch.call torch.cat([%a]) : (tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: %r2 = torch.call torch.cat([%a, [1, [2.5, none], []], %b], dim = -1, out = [%a, int8]) : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  %r2 = torch.call torch.cat([%a, [1, [2.5, none], []], %b], dim = -1, out = [%a, int8]) : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<?x?xf32>
  // CHECK-NEXT: func.return
  func.return
}
