// Whether others want the cores that threads of a plan would spin on.

#pragma once

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace ramiel {

inline int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

// How often the kernel has given this thread's core to another while the thread could have run.
inline int64_t preemptions() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

// The process's. Where threads are preempted often, those that wait had better sleep at once: one
// that spins takes turns with one that would work. After a while, which doubles as long as it finds
// the same, they try again.
class Pressure {
 public:
  bool is_high(int64_t now) const { return now < until_.load(std::memory_order_relaxed); }

  // After a run of some ns in which threads were waiting awake.
  void note(int64_t ns, int64_t preemptions, int64_t now) {
    std::unique_lock<std::mutex> guard(mutex_, std::try_to_lock);
    if (!guard) return;
    ns_ += ns;
    preemptions_ += preemptions;
    if (ns_ < kWindow) return;
    if (preemptions_ * 1000000000 > kMost * ns_) {
      until_.store(now + period_, std::memory_order_relaxed);
      period_ = std::min(2 * period_, kLongest);
    } else {
      period_ = kShortest;
    }
    ns_ = preemptions_ = 0;
  }

 private:
  static constexpr int64_t kMs = 1000000;
  static constexpr int64_t kWindow = 20 * kMs, kShortest = 50 * kMs, kLongest = 1600 * kMs;
  static constexpr int64_t kMost = 80;  // a second, as a busy core has some 200 of, an idle one 20

  std::atomic<int64_t> until_{0};
  std::mutex mutex_;
  int64_t ns_ = 0, preemptions_ = 0, period_ = kShortest;
};

}  // namespace ramiel
