// The steps of a plan, as ramiel/runtime/replay/native.py declares them.

#pragma once

#include <cstdint>

namespace ramiel {

// What a step does, and with which fields. `size` counts elements if nothing else is said.
enum Kind : int32_t {
  kExecute,       // primitive, stream, arguments; `size` of these
  kReceive,       // channel number `size`
  kSend,          // channel number `size`
  kFinite,        // what the Copy at third copies from first
  kClamp,         // first to second, by the Clamp at third
  kBinary,        // first and second to third, by the Binary at address `size`
  kCopy,          // first to second, by the Copy at third; `size` copies that follow, too
  kTiles,         // first, an image, to second, by the Tiling at third (winograd.h)
  kImage,         // first, tiles, to second, by the Tiling at third
  kOperator,      // the Operation at first (dispatcher.h)
  kCall,          // function number `size` of Python's
  kProduct,       // first by what the Product at third has packed, to second (dispatcher.h)
  kSendMessage,   // by the Mailbox at first, the header at second (messages.h); else kCall
  kReceiveMessage,  // the same
  kEnter,         // the Count at first, a gate, where the number of the call is at second (messages.h)
  kLeave,         // the same
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
