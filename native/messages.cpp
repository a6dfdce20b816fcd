#include "messages.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "team.h"

namespace ramiel {
namespace {

// The words of a header (messages.py). Those of the start are the format, what the message is, its
// call and a rank; the others tell of its tensor.
enum { kFormat, kWhat, kCall, kRank, kStart, kWords = kHeaderWords };

constexpr int kMomentMs = 20;

bool tells(const int64_t* header, const int64_t* known) {
  return !std::memcmp(header + kStart, known + kStart, sizeof(int64_t) * (kWords - kStart));
}

bool has_come(const Count& count, uint32_t number) {
  return static_cast<int32_t>(count.sent.load() - number) >= 0;
}

void say(Count& count) {
  count.sent.fetch_add(1);
  if (count.sleepers.load()) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&count.sent), FUTEX_WAKE, INT_MAX, nullptr,
            nullptr, 0);
  }
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

bool wait(Count& count, uint32_t number, int spins, int most_ms) {
  for (Turns turns; !turns.are(spins); turns.next()) {
    if (has_come(count, number)) return true;
  }
  if (most_ms > 0 && !has_come(count, number)) sleep(count, number, most_ms);
  return has_come(count, number);
}

}  // namespace

bool may_enter(Count& gate, int64_t call, int spins, int most_ms) {
  return wait(gate, static_cast<uint32_t>(call - 1), spins, most_ms);
}

void leave(Count& gate, int64_t call) {
  if (gate.sent.load() == static_cast<uint32_t>(call - 1)) say(gate);
}

bool send(Mailbox& box, const int64_t* known) {
  if (!tells(box.header, known)) return false;
  int64_t call = *box.call;
  if (box.done.exchange(call) == call) return true;
  box.header[kFormat] = known[kFormat];
  box.header[kWhat] = known[kWhat];
  box.header[kCall] = call;
  box.header[kRank] = 0;
  say(*box.count);
  return true;
}

void tell(const Said& said, int64_t call) {
  std::memcpy(said.box->header, said.known, sizeof(int64_t) * kWords);
  said.box->header[kCall] = call;
  say(*said.box->count);
}

const int64_t* next(const Said& said, int spins, int most_ms) {
  const Mailbox& box = *said.box;
  if (!wait(*box.count, box.received.load() + 1, spins, most_ms)) return nullptr;
  bool is_known = box.header[kFormat] == said.known[kFormat] &&
                  box.header[kWhat] == said.known[kWhat] &&
                  box.header[kRank] == said.known[kRank] && tells(box.header, said.known);
  return is_known ? box.header + kCall : nullptr;
}

void take(const Said& said) { said.box->received.fetch_add(1); }

// Several workers may receive a message at once: whoever finds the number of the next one has
// noticed before that this one is there.
bool receive(Mailbox& box, const int64_t* known, int spins) {
  int64_t call = *box.call;
  uint32_t number = box.received.load() + 1;
  if (box.done.load() != call && !wait(*box.count, number, spins, kMomentMs)) return false;
  const int64_t* header = box.header;
  if (header[kFormat] != known[kFormat] || header[kWhat] != known[kWhat] || header[kCall] != call ||
      !tells(header, known)) {
    return false;
  }
  if (box.done.exchange(call) != call) box.received.store(number);
  return true;
}

}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Count;
using ramiel::Mailbox;

RAMIEL_API int ramiel_gate_may_enter(Count* gate, int64_t call, int spins, int most_ms) {
  return ramiel::may_enter(*gate, call, spins, most_ms);
}

RAMIEL_API void ramiel_gate_leave(Count* gate, int64_t call) { ramiel::leave(*gate, call); }

// Says that a message is there.
RAMIEL_API void ramiel_message_say(Mailbox* box) { ramiel::say(*box->count); }

// Whether this end has not sent in the current call, and the caller now does.
RAMIEL_API int ramiel_message_claim(Mailbox* box) {
  int64_t call = *box->call;
  return box->done.exchange(call) != call;
}

// Whether the message of a number, from 1 on, is there: spins so often, and then sleeps for so many
// ms at most.
RAMIEL_API int ramiel_message_wait(Mailbox* box, uint32_t number, int spins, int most_ms) {
  return ramiel::wait(*box->count, number, spins, most_ms);
}
}
