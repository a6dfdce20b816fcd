// The threads that replay plans, and how they wait: spin for a moment, then park on a futex.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace ramiel {

// One relaxed turn of a loop that waits.
void pause();

// Where one thread sleeps until another wakes it, which may be one of another process that shares
// this memory.
class Bed {
 public:
  // Sleeps unless `ready()`, and at most so many ms if it is said; may return early.
  template <typename Ready>
  void sleep_unless(Ready ready, int most_ms = 0) {
    asleep_.store(1, std::memory_order_seq_cst);
    if (!ready()) wait(most_ms);
    asleep_.store(0, std::memory_order_relaxed);
  }

  // What makes `ready()` true must have been stored before, sequentially consistent.
  void wake() {
    if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(0)) signal();
  }

 private:
  void wait(int most_ms);
  void signal();

  std::atomic<uint32_t> asleep_{0};
};

// For so many turns, some 50 us, which is what a sleep and a wake-up take, a thread that spins keeps
// its core. Then it lets others have it, if there are any.
constexpr int kEager = 2000;

// The turns of a loop that waits for another thread.
class Turns {
 public:
  // Whether it has made as many.
  bool are(int most) const { return count_ >= most; }

  void next() {
    pause();
    if (++count_ > kEager && count_ % 64 == 0) yield();
  }

 private:
  void yield();

  int count_ = 0;
};

// Waits until `ready()`: spins so often, then sleeps.
template <typename Ready>
void wait_until(Bed& bed, int spins, Ready ready) {
  for (Turns turns; !turns.are(spins); turns.next()) {
    if (ready()) return;
  }
  while (!ready()) bed.sleep_unless(ready);
}

// Has a thread of the process's team run a job. Threads are started when none is idle, keep
// waiting for the next job, and end with the process.
void run_on_team(std::function<void()> job);

}  // namespace ramiel
