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

// Where threads are preempted often, those that wait had better sleep at once: one
// that spins takes turns with one that would work. After a while, which doubles as long as it finds
// the same, they try again.
//
// Preemptions beyond those that are usual are summed up (E. S. Page, Continuous Inspection Schemes,
// Biometrika 1954), since a few come at a time by chance: sleeping takes programs of short
// operations up to a half longer.
class Pressure {
 public:
  bool is_high(int64_t now) const { return now < until_.load(std::memory_order_relaxed); }

  // After a run of some ns in which threads were waiting awake.
  void note(int64_t ns, int64_t preemptions, int64_t now) {
    std::unique_lock<std::mutex> guard(mutex_, std::try_to_lock);
    if (!guard) return;
    sum_ = std::max(0.0, sum_ + static_cast<double>(preemptions) - kUsual * 1e-9 * ns);
    if (sum_ > kMost) {
      until_.store(now + period_, std::memory_order_relaxed);
      period_ = std::min(2 * period_, kLongest);
      sum_ = kMost / 2;
    } else if (sum_ == 0) {
      period_ = kShortest;
    }
  }

  // As if no thread had been preempted so far.
  void forget() {
    std::lock_guard<std::mutex> guard(mutex_);
    until_.store(0, std::memory_order_relaxed);
    period_ = kShortest;
    sum_ = 0;
  }

 private:
  static constexpr int64_t kMs = 1000000;
  static constexpr int64_t kShortest = 50 * kMs, kLongest = 1600 * kMs;
  static constexpr double kUsual = 80;  // a second, as a busy core has some 200 of, an idle one 30
  static constexpr double kMost = 6;

  std::atomic<int64_t> until_{0};
  std::mutex mutex_;
  double sum_ = 0;
  int64_t period_ = kShortest;
};

// The process's.
inline Pressure& pressure() {
  static Pressure pressure;
  return pressure;
}

}  // namespace ramiel
