// RUN: ramiel-opt --split-input-file --verify-diagnostics -p torch-merge-convolutions %s | filecheck %s

// Another input.
// CHECK: error: cluster.merge = 1: "a" (Conv) and "b" (Conv) read different values
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%y) {padding = 1} weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// Another stride.
// CHECK: error: cluster.merge = 1: "a" (Conv) and "b" (Conv) have different strides
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {stride = [1, 2], padding = 1} weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x4xf32>
  func.return
}

// -----

// Another dilation.
// CHECK: error: cluster.merge = 1: "a" (Conv) and "b" (Conv) have different dilations
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {padding = 2, dilation = 2} weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// A kernel that cannot grow by the same at both ends.
// CHECK: error: cluster.merge = 1: "a" (Conv) and "b" (Conv) have kernels of even and of odd size
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {padding = 1} weights {weight = "b.weight" : tensor<2x4x2x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x9x8xf32>
  func.return
}

// -----

// Without its padding, a kernel of 3 makes a smaller result than one of 1.
// CHECK: error: cluster.merge = 1: "a" (Conv) and "b" (Conv) have windows with different centres
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) weights {weight = "a.weight" : tensor<2x4x1x1xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x6x6xf32>
  func.return
}

// -----

// Groups.
// CHECK: error: cluster.merge = 1: "b" (Conv) is a grouped convolution
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {padding = 1, groups = 2} weights {weight = "b.weight" : tensor<2x2x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// What the layer does not have.
// CHECK: error: cluster.merge = 1: "b" (Conv) has options that do not fit its kernel
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer Conv2d(%x) {padding = 1, padding_mode = "zeros"} weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// A transposed one.
// CHECK: error: cluster.merge = 1: "b" (Conv) is not a convolution
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.layer ConvTranspose2d(%x) {padding = 1} weights {weight = "b.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "b", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// A call, whose weights are known at run time only.
// CHECK: error: cluster.merge = 1: "b" (torch.call) is not a convolution
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %b = torch.call F.relu(%x) {cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// One alone.
// CHECK: error: cluster.merge = 1: two or more convolutions are needed
func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xf32>) {
  %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  func.return
}

// -----

// No number.
// CHECK: error: cluster.merge is "a": it must be an integer
func.func @main(%x: tensor<1x4x8x8xf32>) {
  %a = torch.call F.relu(%x) {cluster.merge = "a"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// Where there is a program, the workers have copies of the convolutions.
// CHECK: error: torch-merge-convolutions: must run before cluster-channels
builtin.module {
  func.func @main(%x: tensor<1x4x8x8xf32>) {
    %a = torch.layer Conv2d(%x) {padding = 1} weights {weight = "a.weight" : tensor<2x4x3x3xf32>} attributes {torch.node = "a", torch.op = "Conv", cluster.merge = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
    func.return
  }
  cluster.program @p {
    cluster.worker 0 {
    }
  }
}
