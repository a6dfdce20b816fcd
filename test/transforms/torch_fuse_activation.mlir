// RUN: ramiel-opt -p torch-fuse-activation %s | filecheck %s

// All activations that layers have. The layer keeps its origin and takes the name of the result.
// CHECK-LABEL: func.func @fused(
// CHECK-NEXT:  %y0 = torch.layer Linear(%x) {activation = "relu"} weights {weight = "0" : tensor<4x4xf32>} attributes {torch.node = "/0/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y1 = torch.layer Linear(%x) {activation = "sigmoid"} weights {weight = "1" : tensor<4x4xf32>} attributes {torch.node = "/1/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y2 = torch.layer Linear(%x) {activation = "silu"} weights {weight = "2" : tensor<4x4xf32>} attributes {torch.node = "/2/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y3 = torch.layer Linear(%x) {activation = "hardswish"} weights {weight = "3" : tensor<4x4xf32>} attributes {torch.node = "/3/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y4 = torch.layer Linear(%x) {activation = "hardsigmoid"} weights {weight = "4" : tensor<4x4xf32>} attributes {torch.node = "/4/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y5 = torch.layer Linear(%x) {activation = "gelu"} weights {weight = "5" : tensor<4x4xf32>} attributes {torch.node = "/5/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y6 = torch.layer Linear(%x) {activation = "gelu"} weights {weight = "6" : tensor<4x4xf32>} attributes {torch.node = "/6/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y7 = torch.layer Linear(%x) {activation = "gelu_tanh"} weights {weight = "7" : tensor<4x4xf32>} attributes {torch.node = "/7/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y8 = torch.layer Linear(%x) {activation = "tanh"} weights {weight = "8" : tensor<4x4xf32>} attributes {torch.node = "/8/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y9 = torch.layer Linear(%x) {activation = ["clip", 0.0, 6.0]} weights {weight = "9" : tensor<4x4xf32>} attributes {torch.node = "/9/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y10 = torch.layer Linear(%x) {activation = "relu"} weights {weight = "10" : tensor<4x4xf32>} attributes {torch.node = "/10/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y11 = torch.layer Linear(%x) {activation = ["leaky_relu", 0.1]} weights {weight = "11" : tensor<4x4xf32>} attributes {torch.node = "/11/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y12 = torch.layer Linear(%x) {activation = ["leaky_relu", 0.2]} weights {weight = "12" : tensor<4x4xf32>} attributes {torch.node = "/12/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  func.return %y0, %y1, %y2, %y3, %y4, %y5, %y6, %y7, %y8, %y9, %y10, %y11, %y12
func.func @fused(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) {
  %l0 = torch.layer Linear(%x) weights {weight = "0" : tensor<4x4xf32>} attributes {torch.node = "/0/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y0 = torch.call F.relu(%l0) {torch.node = "/0/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l1 = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>} attributes {torch.node = "/1/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y1 = torch.call torch.sigmoid(%l1) {torch.node = "/1/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l2 = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>} attributes {torch.node = "/2/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y2 = torch.call F.silu(%l2) {torch.node = "/2/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l3 = torch.layer Linear(%x) weights {weight = "3" : tensor<4x4xf32>} attributes {torch.node = "/3/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y3 = torch.call F.hardswish(%l3) {torch.node = "/3/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l4 = torch.layer Linear(%x) weights {weight = "4" : tensor<4x4xf32>} attributes {torch.node = "/4/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y4 = torch.call F.hardsigmoid(%l4) {torch.node = "/4/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l5 = torch.layer Linear(%x) weights {weight = "5" : tensor<4x4xf32>} attributes {torch.node = "/5/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y5 = torch.call F.gelu(%l5) {torch.node = "/5/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l6 = torch.layer Linear(%x) weights {weight = "6" : tensor<4x4xf32>} attributes {torch.node = "/6/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y6 = torch.call F.gelu(%l6, approximate = "none") {torch.node = "/6/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l7 = torch.layer Linear(%x) weights {weight = "7" : tensor<4x4xf32>} attributes {torch.node = "/7/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y7 = torch.call F.gelu(%l7, approximate = "tanh") {torch.node = "/7/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l8 = torch.layer Linear(%x) weights {weight = "8" : tensor<4x4xf32>} attributes {torch.node = "/8/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y8 = torch.call torch.tanh(%l8) {torch.node = "/8/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l9 = torch.layer Linear(%x) weights {weight = "9" : tensor<4x4xf32>} attributes {torch.node = "/9/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y9 = torch.call torch.clamp(%l9, min = 0, max = 6) {torch.node = "/9/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l10 = torch.layer Linear(%x) weights {weight = "10" : tensor<4x4xf32>} attributes {torch.node = "/10/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y10 = torch.call torch.clamp(%l10, min = 0.0) {torch.node = "/10/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l11 = torch.layer Linear(%x) weights {weight = "11" : tensor<4x4xf32>} attributes {torch.node = "/11/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y11 = torch.call F.leaky_relu(%l11, 0.1) {torch.node = "/11/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l12 = torch.layer Linear(%x) weights {weight = "12" : tensor<4x4xf32>} attributes {torch.node = "/12/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y12 = torch.call F.leaky_relu(%l12, negative_slope = 0.2) {torch.node = "/12/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y0, %y1, %y2, %y3, %y4, %y5, %y6, %y7, %y8, %y9, %y10, %y11, %y12 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// What layers do not have.
// CHECK-LABEL: func.func @other_calls(
// CHECK-NEXT:  %l0 = torch.layer Linear(%x) weights {weight = "0" : tensor<4x4xf32>} attributes {torch.node = "/0/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y0 = torch.call F.mish(%l0) {torch.node = "/0/Act", torch.op = "Act"}
// CHECK-NEXT:  %l1 = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>} attributes {torch.node = "/1/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y1 = torch.call torch.clamp(%l1, max = 6.0) {torch.node = "/1/Act", torch.op = "Act"}
// CHECK-NEXT:  %l2 = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>} attributes {torch.node = "/2/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y2 = torch.call F.relu(%l2, inplace = true) {torch.node = "/2/Act", torch.op = "Act"}
// CHECK-NEXT:  %l3 = torch.layer Linear(%x) weights {weight = "3" : tensor<4x4xf32>} attributes {torch.node = "/3/MatMul", torch.op = "MatMul"}
// CHECK-NEXT:  %y3 = torch.call F.elu(%l3, 1.0) {torch.node = "/3/Act", torch.op = "Act"}
// CHECK-NEXT:  func.return %y0, %y1, %y2, %y3
func.func @other_calls(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) {
  %l0 = torch.layer Linear(%x) weights {weight = "0" : tensor<4x4xf32>} attributes {torch.node = "/0/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y0 = torch.call F.mish(%l0) {torch.node = "/0/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l1 = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>} attributes {torch.node = "/1/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y1 = torch.call torch.clamp(%l1, max = 6.0) {torch.node = "/1/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l2 = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>} attributes {torch.node = "/2/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y2 = torch.call F.relu(%l2, inplace = true) {torch.node = "/2/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %l3 = torch.layer Linear(%x) weights {weight = "3" : tensor<4x4xf32>} attributes {torch.node = "/3/MatMul", torch.op = "MatMul"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y3 = torch.call F.elu(%l3, 1.0) {torch.node = "/3/Act", torch.op = "Act"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %y0, %y1, %y2, %y3 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// What is added is added before.
// CHECK-LABEL: func.func @with_residual(
// CHECK-NEXT:  %0 = torch.layer Conv2d(%x, %s) {padding = 1, activation = "relu"} weights {weight = "w" : tensor<4x4x3x3xf32>}
// CHECK-NEXT:  func.return %0
func.func @with_residual(%x: tensor<1x4x5x5xf32>, %s: tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32> {
  %1 = torch.layer Conv2d(%x, %s) {padding = 1} weights {weight = "w" : tensor<4x4x3x3xf32>} : (tensor<1x4x5x5xf32>, tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %2 = torch.call F.relu(%1) : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  func.return %2 : tensor<1x4x5x5xf32>
}

// Two calls of one layer stay calls of one layer.
// CHECK-LABEL: func.func @shared_layer(
// CHECK-NEXT:  %0 = torch.layer Linear(%x) {activation = "relu"} weights {weight = "w" : tensor<4x4xf32>}
// CHECK-NEXT:  %1 = torch.layer Linear(%y) {activation = "relu"} weights {weight = "w" : tensor<4x4xf32>}
// CHECK-NEXT:  func.return %0, %1
func.func @shared_layer(%x: tensor<2x4xf32>, %y: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %1 = torch.layer Linear(%x) weights {weight = "w" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = torch.layer Linear(%y) weights {weight = "w" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = torch.call F.relu(%1) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %4 = torch.call F.relu(%2) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %3, %4 : tensor<2x4xf32>, tensor<2x4xf32>
}

// What stays: results that are used twice or returned, a second activation, a transposed convolution.
// CHECK-LABEL: func.func @kept(
// CHECK-NEXT:  %used = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>}
// CHECK-NEXT:  %0 = torch.call F.relu(%used)
// CHECK-NEXT:  %1 = torch.call torch.tanh(%used)
// CHECK-NEXT:  %returned = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>}
// CHECK-NEXT:  %2 = torch.call F.relu(%returned)
// CHECK-NEXT:  %active = torch.layer Linear(%x) {activation = "relu"} weights {weight = "3" : tensor<4x4xf32>}
// CHECK-NEXT:  %3 = torch.call torch.tanh(%active)
// CHECK-NEXT:  %transposed = torch.layer ConvTranspose2d(%i) weights {weight = "4" : tensor<4x4x1x1xf32>}
// CHECK-NEXT:  %4 = torch.call F.relu(%transposed)
// CHECK-NEXT:  func.return %0, %1, %returned, %2, %3, %4
func.func @kept(%x: tensor<2x4xf32>, %i: tensor<1x4x5x5xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<1x4x5x5xf32>) {
  %used = torch.layer Linear(%x) weights {weight = "1" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %1 = torch.call F.relu(%used) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = torch.call torch.tanh(%used) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %returned = torch.layer Linear(%x) weights {weight = "2" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = torch.call F.relu(%returned) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %active = torch.layer Linear(%x) {activation = "relu"} weights {weight = "3" : tensor<4x4xf32>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %4 = torch.call torch.tanh(%active) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %transposed = torch.layer ConvTranspose2d(%i) weights {weight = "4" : tensor<4x4x1x1xf32>} : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %5 = torch.call F.relu(%transposed) : (tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  func.return %1, %2, %returned, %3, %4, %5 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<1x4x5x5xf32>
}
