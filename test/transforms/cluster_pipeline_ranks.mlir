// Stages on ranks: what crosses a border is a message.
// RUN: ramiel-opt %s -p 'cluster-costs{ranks=2 latency=5 rate=1250 overhead=1 copying=2000},cluster-pipeline' | filecheck %s --check-prefix LARGE
// RUN: ramiel-opt %s -p 'cluster-costs{ranks=2 latency=5 rate=1250 overhead=1 copying=2000},cluster-pipeline,cluster-requests,cluster-channels{executor=distributed}' | ramiel-opt | filecheck %s --check-prefix PROGRAM
// RUN: ramiel-opt %s -p cluster-costs,cluster-pipeline | filecheck %s --check-prefix NEAR

// Half of the work is in %a, but its value takes longer than what it saves.
func.func @main(%x: tensor<512x512xf32> {torch.name = "x"}) -> tensor<512xf32> {
  %a = torch.call torch.mm(%x, %x) {torch.names = ["a"]} : (tensor<512x512xf32>, tensor<512x512xf32>) -> tensor<512x512xf32>
  %b = torch.call torch.mv(%a, torch.zeros([512])) {torch.names = ["b"]} : (tensor<512x512xf32>) -> tensor<512xf32>
  func.return %b : tensor<512xf32>
}
