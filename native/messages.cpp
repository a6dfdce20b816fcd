// Messages through memory that processes share: a count of them, for which others wait.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "team.h"

namespace ramiel {
namespace {

// Lies before a message; zeros at first.
struct Count {
  std::atomic<uint32_t> sent;
  std::atomic<uint32_t> sleepers;
};

bool has_come(const Count& count, uint32_t number) {
  return static_cast<int32_t>(count.sent.load() - number) >= 0;
}

void sleep(Count& count, uint32_t number, int most_ms) {
  timespec most{most_ms / 1000, most_ms % 1000 * 1000000L};
  count.sleepers.fetch_add(1);
  uint32_t sent = count.sent.load();
  if (static_cast<int32_t>(sent - number) < 0) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&count.sent), FUTEX_WAIT, sent, &most, nullptr,
            0);
  }
  count.sleepers.fetch_sub(1);
}

}  // namespace
}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Count;

// Says that a message is there.
RAMIEL_API void ramiel_message_send(void* memory) {
  Count& count = *static_cast<Count*>(memory);
  count.sent.fetch_add(1);
  if (count.sleepers.load()) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&count.sent), FUTEX_WAKE, INT_MAX, nullptr,
            nullptr, 0);
  }
}

// Whether the message of a number, from 1 on, is there: spins so often, and then sleeps for so many
// ms at most, or less.
RAMIEL_API int ramiel_message_wait(void* memory, uint32_t number, int spins, int most_ms) {
  Count& count = *static_cast<Count*>(memory);
  for (ramiel::Turns turns; !turns.are(spins); turns.next()) {
    if (ramiel::has_come(count, number)) return 1;
  }
  if (most_ms > 0 && !ramiel::has_come(count, number)) ramiel::sleep(count, number, most_ms);
  return ramiel::has_come(count, number);
}
}
