#include "team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ramiel {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

void Turns::yield() { sched_yield(); }

void Bed::wait(int most_ms) {
  timespec most{most_ms / 1000, most_ms % 1000 * 1000000L};
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&asleep_), FUTEX_WAIT, 1,
          most_ms ? &most : nullptr, nullptr, 0);
}

void Bed::signal() {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&asleep_), FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

namespace {

struct Member {
  std::function<void()> job;
  std::atomic<bool> has_job{false};
  Bed bed;
};

// The idle members. A member is in it exactly while it has no job.
class Team {
 public:
  void run(std::function<void()> job) {
    Member* member = nullptr;
    {
      std::lock_guard<std::mutex> guard(mutex_);
      if (!idle_.empty()) {
        member = idle_.back();
        idle_.pop_back();
      }
    }
    bool is_new = member == nullptr;
    if (is_new) member = new Member;
    member->job = std::move(job);
    member->has_job.store(true, std::memory_order_seq_cst);
    if (is_new) {
      std::thread([this, member] { serve(*member); }).detach();
    } else {
      member->bed.wake();
    }
  }

 private:
  [[noreturn]] void serve(Member& member) {
    for (;;) {
      wait_until(member.bed, kEager, [&] { return member.has_job.load(); });
      member.has_job.store(false, std::memory_order_relaxed);
      member.job();
      member.job = nullptr;
      std::lock_guard<std::mutex> guard(mutex_);
      idle_.push_back(&member);
    }
  }

  std::mutex mutex_;
  std::vector<Member*> idle_;
};

// A forked child has none of the threads, and perhaps a mutex that one of them held: it gets a team
// of its own, and the old one is left alone. So is the last one at the end of the process, as its
// threads may still wait.
Team* team = nullptr;
pthread_once_t once = PTHREAD_ONCE_INIT;

void make_team() { team = new Team; }

void make_first_team() {
  make_team();
  pthread_atfork(nullptr, nullptr, make_team);
}

}  // namespace

void run_on_team(std::function<void()> job) {
  pthread_once(&once, make_first_team);
  team->run(std::move(job));
}

}  // namespace ramiel
