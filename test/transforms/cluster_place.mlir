// RUN: ramiel-opt %s -p 'cluster-place{workers=2 schedule=linear}' | filecheck %s
// RUN: ramiel-opt %s -p cluster-place | filecheck %s --check-prefix AUTO
// RUN: ramiel-opt %s -p 'cluster-place{schedule=serial}' | filecheck %s --check-prefix SERIAL
// RUN: ramiel-opt %s -p 'cluster-place{workers=1 schedule=linear}' | filecheck %s --check-prefix SERIAL
// RUN: ramiel-opt %s -p 'cluster-place{workers=8 schedule=linear}' | filecheck %s
// RUN: not ramiel-opt %s -p 'cluster-place{workers=0}' 2>&1 | filecheck %s --check-prefix NONE
// NONE: error: workers must be 1 to 1024, not 0
// RUN: not ramiel-opt %s -p 'cluster-place{schedule=best}' 2>&1 | filecheck %s --check-prefix UNKNOWN
// UNKNOWN: error: there is no schedule 'best'; there are auto, linear, serial

// Two branches: the longer one stays on worker 0, the other gets worker 1. What crosses goes
// through a channel, received right before its first use; the function stays as it is.
func.func @main(%x: tensor<4xf32> {torch.name = "x"}) -> tensor<8xf32> {
  %w = torch.weight "w" {torch.layer_name = "w"} : tensor<4xf32>
  %a = torch.call operator.mul(%x, %w) {torch.names = ["a"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = torch.call operator.add(%a, %w) {torch.names = ["b"], cluster.cost = 300.0 : f64, cluster.id = 1 : i64, cluster.lane = 1 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = torch.call torch.sin(%a) {torch.names = ["c"], cluster.cost = 500.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %d = torch.call torch.cat([%b, %c], dim = 0) {torch.names = ["d"], cluster.cost = 10.0 : f64, cluster.id = 0 : i64, cluster.lane = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  func.return %d : tensor<8xf32>
}

// CHECK:      func.func @main
// CHECK:      cluster.program @main_parallel attributes {schedule = "linear, merged", clusters_before_merge = 2 : i64, clusters = 2 : i64, workers = 2 : i64, channels = 2 : i64, serial_us = 8.200000e+02 : f64, parallel_us = 5.200000e+02 : f64, critical_path_us = 5.200000e+02 : f64, bound_us = 5.200000e+02 : f64} {
// CHECK-NEXT:   cluster.channel input @x : tensor<4xf32>
// CHECK-NEXT:   cluster.channel value @a : tensor<4xf32>
// CHECK-NEXT:   cluster.channel value @b : tensor<4xf32>
// CHECK-NEXT:   cluster.channel output @d : tensor<8xf32>
// CHECK-NEXT:   cluster.worker 0 {
// CHECK-NEXT:     cluster.section 0 "a to d" 520.0
// CHECK-NEXT:     %x = cluster.recv @x
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %a = torch.call operator.mul(%x, %w)
// CHECK-NEXT:     cluster.send @a %a : tensor<4xf32>
// CHECK-NEXT:     %c = torch.call torch.sin(%a)
// CHECK-NEXT:     %b = cluster.recv @b
// CHECK-NEXT:     %d = torch.call torch.cat([%b, %c], dim = 0)
// CHECK-NEXT:     cluster.send @d %d : tensor<8xf32>
// CHECK-NEXT:   }
// CHECK-NEXT:   cluster.worker 1 {
// CHECK-NEXT:     cluster.section 1 "b" 300.0
// CHECK-NEXT:     %a = cluster.recv @a
// CHECK-NEXT:     %w = torch.weight "w"
// CHECK-NEXT:     %b = torch.call operator.add(%a, %w)
// CHECK-NEXT:     cluster.send @b %b : tensor<4xf32>
// CHECK-NEXT:   }

// AUTO:   schedule = "linear, merged"
// SERIAL: schedule = "serial", clusters_before_merge = 2 : i64, clusters = 2 : i64, workers = 1 : i64, channels = 0 : i64
// SERIAL: cluster.worker 0
// SERIAL-NOT: cluster.worker 1
