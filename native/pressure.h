// Whether others want the cores that threads of a plan would spin on.

#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>

namespace ramiel {

inline int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

// What a thread that computes has a core for before the kernel gives it to another.
constexpr int64_t kSliceNs = 3000000;

// How long a thread could have run so far, but something else had its core.
class Lost {
 public:
  Lost() : pid_(getpid()), file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  ~Lost() {
    if (file_ >= 0) close(file_);
  }
  Lost(const Lost&) = delete;

  // In ns; where the kernel does not say it, a slice for each time that it has taken the core.
  int64_t ns() {
    char text[64];
    long long ran, waited;
    ssize_t size = pid_ == getpid() && file_ >= 0 ? pread(file_, text, sizeof(text) - 1, 0) : 0;
    text[std::max<ssize_t>(size, 0)] = 0;
    if (std::sscanf(text, "%lld %lld", &ran, &waited) == 2) return waited;
    rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw * kSliceNs;
  }

 private:
  const pid_t pid_;  // in a forked child, the file is the parent's thread
  const int file_;
};

inline int64_t lost_ns() {
  thread_local Lost lost;
  return lost.ns();
}

// Where threads lose much time to others, those that wait had better sleep at once: one that spins
// takes turns with one that would work. After a while, which doubles as long as it finds the same,
// they try again.
//
// Slices beyond those that are usual are summed up (E. S. Page, Continuous Inspection Schemes,
// Biometrika 1954), since a few come at a time by chance: sleeping takes programs of short
// operations up to a half longer. Preemptions are not counted: a thread of a server that wakes up for
// 20 us is one, too.
class Pressure {
 public:
  bool is_high(int64_t now) const { return now < until_.load(std::memory_order_relaxed); }

  // After a run of some ns in which threads were waiting awake, and have lost so much together.
  void note(int64_t ns, int64_t lost_ns, int64_t now) {
    std::unique_lock<std::mutex> guard(mutex_, std::try_to_lock);
    if (!guard) return;
    double slices = static_cast<double>(lost_ns) / kSliceNs;
    sum_ = std::max(0.0, sum_ + slices - kUsual * 1e-9 * ns);
    if (sum_ > kMost) {
      until_.store(now + period_, std::memory_order_relaxed);
      period_ = std::min(2 * period_, kLongest);
      sum_ = kMost / 2;
    } else if (sum_ == 0) {
      period_ = kShortest;
    }
  }

  // As if no thread had lost anything so far.
  void forget() {
    std::lock_guard<std::mutex> guard(mutex_);
    until_.store(0, std::memory_order_relaxed);
    period_ = kShortest;
    sum_ = 0;
  }

 private:
  static constexpr int64_t kMs = 1000000;
  static constexpr int64_t kShortest = 50 * kMs, kLongest = 1600 * kMs;
  static constexpr double kUsual = 60;  // slices a second: a busy neighbour takes some 200
  static constexpr double kMost = 2;

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
