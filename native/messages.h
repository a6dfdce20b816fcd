// Messages through memory that processes share, each of which is sent and received once in a call.

#pragma once

#include <atomic>
#include <cstdint>

namespace ramiel {

// How many messages there were, and who sleeps until the next. Lies before them; zeros at first.
struct Count {
  std::atomic<uint32_t> sent;
  std::atomic<uint32_t> sleepers;
};

// One process's end of the messages that lie in one place, as neighbours.py declares it.
struct Mailbox {
  Count* count;
  int64_t* header;             // of the message
  const int64_t* call;         // the number of the current call
  std::atomic<int64_t> done;   // that of the last call in which this end has sent or received
  std::atomic<uint32_t> received;
};

// A gate is a Count of the calls that have left it, in the order of their numbers, from 1 on: a
// worker goes through one with its part of each call where calls overlap. It lies in one process.

// Whether a call's turn has come, for which this spins so often and then sleeps for so many ms.
bool may_enter(Count& gate, int64_t call, int spins, int most_ms);

// Lets the next one enter, once the call has; nothing if it has left.
void leave(Count& gate, int64_t call);

constexpr int kHeaderWords = 24;

// A message that says what is known, but for the number of its call.
struct Said {
  Mailbox* box;
  const int64_t* known;  // its header
};

// Says it, of a call.
void tell(const Said& said, int64_t call);

// The number of the call of which the next message says it; null if it says something else, or none
// comes for so many spins and then ms. The message stays the next one until take().
const int64_t* next(const Said& said, int spins, int most_ms);

void take(const Said& said);

// Sends the message of the current call, unless that was done. False if the header does not say
// what is known of the message, but for the call.
bool send(Mailbox& box, const int64_t* known);

// Receives that of the current call, for which it spins so often and then sleeps for a moment. False
// if it is not there, or its header says something else.
bool receive(Mailbox& box, const int64_t* known, int spins);

}  // namespace ramiel
