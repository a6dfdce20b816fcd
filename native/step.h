// The steps of a plan, as ramiel/runtime/replay/native.py declares them.

#pragma once

#include <cstdint>

namespace ramiel {

// What a step does, and with which fields. `size` counts elements if nothing else is said.
enum Kind : int32_t {
  kExecute,       // primitive, stream, arguments; `size` of these
  kReceive,       // channel number `size`
  kSend,          // channel number `size`
  kFinite,        // first
  kRelu,          // first to second
  kBinary,        // first and second to third, by `number`, a Binary
  kBinaryNumber,  // first and `number` to second, by a Binary at third
  kCopy,          // first to second, by a Copy at third
  kCall,          // function number `size` of Python's
};

struct Step {
  int32_t kind;
  int32_t threads;
  void* first;
  void* second;
  void* third;
  int64_t size;
  double number;
};

}  // namespace ramiel
