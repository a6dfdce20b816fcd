// Plans: what each worker of a program does, as a flat list of prepared steps, and their replay.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "crew.h"
#include "dispatcher.h"
#include "kernels.h"
#include "messages.h"
#include "openmp.h"
#include "plan.h"
#include "pressure.h"
#include "step.h"
#include "team.h"
#include "winograd.h"

namespace ramiel {
namespace {

// What a run ends with. More than that are the statuses of oneDNN and of calls.
enum Status : int32_t { kDone = 0, kNotFinite = -1, kStopped = -2, kLost = -3, kDropped = -4 };

int (*execute)(void* primitive, void* stream, int count, void* arguments);
int (*call_python)(int64_t index);

constexpr uint64_t kSent = uint64_t{1} << 63;

// The workers of a plan are threads of this process, or all but the first are processes that were
// forked from it and serve() until it ends.
class Plan final : public Lender, public Parts {
 public:
  // Processes share `memory`, of memory_bytes() zeros.
  Plan(int workers, int seats, int channels, const Step* const* steps, const int64_t* counts,
       void* memory)
      : seat_count_(memory ? workers : seats),
        channel_count_(channels),
        is_shared_(memory != nullptr),
        pids_(workers) {
    for (int k = 0; k < workers; ++k) {
      steps_.push_back({steps[k], static_cast<size_t>(counts[k])});
    }
    for (size_t i = 0; i < steps_[0].count; ++i) calls_python_ |= steps_[0].first[i].kind == kCall;
    if (!memory) {
      own_.reset(new (std::align_val_t{kLine}) char[memory_bytes(seats, channels)]());
      memory = own_.get();
    }
    common_ = new (memory) Common;
    char* at = static_cast<char*>(memory) + sizeof(Common);
    seats_ = reinterpret_cast<Seat*>(at);
    for (int k = 0; k < seat_count_; ++k) new (&seats_[k]) Seat;
    channels_ = reinterpret_cast<std::atomic<uint64_t>*>(at + sizeof(Seat) * seat_count_);
    for (int i = 0; i < channel_count_; ++i) new (&channels_[i]) std::atomic<uint64_t>(0);
  }

  ~Plan() {
    for (const Steps& steps : steps_) {
      for (size_t i = 0; i < steps.count; ++i) {
        const Step& step = steps.first[i];
        if (step.kind == kOperator) release(*static_cast<Operation*>(step.first));
      }
    }
  }

  static size_t memory_bytes(int seats, int channels) {
    return sizeof(Common) + sizeof(Seat) * seats + sizeof(uint64_t) * channels;
  }

  // One run at a time. `times` (if it is there) gets ns before the first and after each step,
  // worker by worker; processes share it.
  int run(int spins, int64_t* times) {
    int64_t start = now_ns();
    reset(pressure().is_high(start) ? 0 : spins, times);
    // A thread that is alone needs no others for the steps of one worker.
    Lender* alone = steps_.size() == 1 ? loner() : nullptr;
    const int seats = alone ? 1 : seat_count_, others = seats - 1;
    Lender& lender = alone ? *alone : *this;
    if (is_shared_) {
      common_->turn.store(++turns_);
      for (int k = 1; k < seats; ++k) seats_[k].bed.wake();
    } else {
      for (int k = 1; k < seats; ++k) {
        run_on_team([this, k] {
          take_part(k, *this);
          leave();
        });
      }
    }
    if (calls_python_) {
      // In the caller's thread, Python would run its handlers of signals before the function, and
      // what they raise would be lost, and the function's step skipped.
      apart([this, &lender] { take_part(0, lender); });
    } else {
      take_part(0, lender);
    }
    // Nobody may be in this plan any more when it is run again.
    auto are_gone = [this, others] {
      return common_->left.load(std::memory_order_acquire) == others;
    };
    if (is_shared_) {
      if (!watch(seats_[0].bed, common_->spins, are_gone)) return kLost;
    } else {
      for (Turns turns; !are_gone();) turns.next();
    }
    if (common_->spins > 0 && seats > 1) {
      int64_t end = now_ns();
      pressure().note(end - start, common_->lost_ns.load(std::memory_order_relaxed), end);
    }
    return common_->status.load(std::memory_order_relaxed);
  }

  // In a process that was forked from `parent`: does the part of worker k in each run until that
  // process has ended.
  void serve(int k, int parent) {
    parent_ = parent;
    for (uint32_t turn = turns_ + 1;; ++turn) {
      auto is_called = [this, turn] { return common_->turn.load() == turn; };
      if (!watch(seats_[k].bed, kEager, is_called)) return;
      take_part(k, *this);
      leave();
    }
  }

  // --- of pipelines: Parts. All steps are on one thread, and times are not taken.

  int workers() const override { return static_cast<int>(steps_.size()); }

  void begin(int spins) override { reset(pressure().is_high(now_ns()) ? 0 : spins, nullptr); }

  void do_part(int k, Bed& bed) override {
    if (common_->status.load() == kDone) {
      work(k, *this, nullptr);
    }
    // Whoever waits for the last one may then delete the plan.
    if (common_->finished.fetch_add(1) + 1 == workers()) bed.wake();
  }

  int wait_for_parts(Bed& bed) override {
    auto are_over = [this] { return common_->finished.load() == workers(); };
    if (!is_shared_) {
      wait_until(bed, 0, are_over);
    } else if (!watch(bed, 0, are_over)) {
      return kLost;
    }
    return common_->status.load();
  }

  void drop() override { fail(kDropped, 0); }

  void belong_to(int parent) override { parent_ = parent; }

  // Has a function of Python's called as soon as a run fails, while other workers may wait within
  // functions of Python's for what it makes come.
  void on_failure(int64_t function) {
    on_failure_ = function;
  }

  // Tells which process serves for worker k.
  void entrust(int k, int pid) { pids_[k] = pid; }

  // A worker whose process has ended; 0 if there is none.
  int lost() const {
    for (int k = 1; k < seat_count_; ++k) {
      siginfo_t info{};
      int flags = WEXITED | WNOHANG | WNOWAIT;
      if (pids_[k] && (waitid(P_PID, pids_[k], &info, flags) != 0 || info.si_pid != 0)) return k;
    }
    return 0;
  }

  void lend(Region& region) override {
    int index = 1;
    for (Turns turns; index < region.size; turns.next()) {
      for (int k = 0; !is_shared_ && k < seat_count_ && index < region.size; ++k) {
        Seat& seat = seats_[k];
        int free = kFree;
        if (seat.state.load(std::memory_order_relaxed) == kFree &&
            seat.state.compare_exchange_strong(free, kLent)) {
          seat.index = index++;
          seat.region.store(&region);
          seat.bed.wake();
        }
      }
      // A schedule that reserves cores has them free soon. One that does not gets more threads, and
      // so does a process, which cannot lend its threads to another.
      for (; (is_shared_ || turns.are(kPatience)) && index < region.size; ++index) {
        run_on_team([&region, index] { help(region, index); });
      }
    }
  }

 private:
  enum { kBusy, kFree, kLent };

  static constexpr size_t kLine = 64;
  static constexpr int64_t kNone = -1;

  // Where a thread sits in a run: a worker, or a helper without steps of its own. While it waits it
  // is free to help others.
  struct alignas(kLine) Seat {
    std::atomic<int> state{kBusy};
    std::atomic<Region*> region{nullptr};
    int index = 0;
    Bed bed;
  };

  // What all workers see; the seats and the channels follow it.
  struct alignas(kLine) Common {
    int spins = 0;
    int64_t* times = nullptr;
    std::atomic<uint32_t> turn{0};  // of processes: the number of the run
    std::atomic<int64_t> lost_ns{0};
    std::atomic<int> status{kDone};
    std::atomic<int> finished{0};  // workers
    std::atomic<int> left{0};      // workers and helpers, but for worker 0
  };

  static constexpr int kPatience = 20000;
  static constexpr int kMomentMs = 20;
  // How often a process that waits looks whether those that it works with still live.
  static constexpr int kWatchMs = 5, kServeMs = 500;

  void reset(int spins, int64_t* times) {
    common_->spins = spins;
    common_->times = times;
    common_->lost_ns.store(0, std::memory_order_relaxed);
    for (int i = 0; i < channel_count_; ++i) channels_[i].store(0, std::memory_order_relaxed);
    common_->status.store(kDone, std::memory_order_relaxed);
    common_->finished.store(0, std::memory_order_relaxed);
    common_->left.store(0, std::memory_order_relaxed);
    for (int k = 0; k < seat_count_; ++k) seats_[k].state.store(kBusy, std::memory_order_relaxed);
  }

  void take_part(int k, Lender& lender) {
    int64_t before = common_->spins > 0 ? lost_ns() : 0;
    int workers = static_cast<int>(steps_.size());
    if (k < workers) {
      work(k, lender, times_of(k));
      if (common_->finished.fetch_add(1) + 1 == workers && !is_shared_) wake_all();
    }
    if (!is_shared_) {
      wait(seats_[k], [this, workers] { return common_->finished.load() == workers; });
    }
    if (common_->spins > 0) {
      common_->lost_ns.fetch_add(lost_ns() - before, std::memory_order_relaxed);
    }
  }

  // Without processes, whoever waits for this may then delete the plan.
  void leave() {
    if (!is_shared_) {
      common_->left.fetch_add(1, std::memory_order_release);
      return;
    }
    common_->left.fetch_add(1);
    seats_[0].bed.wake();
  }

  int64_t* times_of(int k) const {
    int64_t* times = common_->times;
    for (int i = 0; times && i < k; ++i) times += steps_[i].count + 1;
    return times;
  }

  void work(int k, Lender& lender, int64_t* times) {
    int threads = 0;
    Crewed before;
    OperatorMode mode;
    const Steps& steps = steps_[k];
    if (times) *times++ = now_ns();
    for (size_t i = 0; i < steps.count; ++i) {
      const Step& step = steps.first[i];
      if (step.threads != threads) {
        set_crew(&lender, threads = step.threads);
        mode.set_threads(threads);
      }
      if (int status = perform(step, k); status != kDone) return fail(status, k);
      if (times) *times++ = now_ns();
      for (int64_t more = step.kind == kCopy ? step.size : 0; more > 0; --more, ++i) {
        if (times) *times++ = now_ns();
      }
    }
  }

  int perform(const Step& step, int k) {
    auto x = static_cast<const char*>(step.first);
    auto y = static_cast<char*>(step.second);
    switch (step.kind) {
      case kExecute:
        return execute(step.first, step.second, static_cast<int>(step.size), step.third);
      case kReceive:
        return receive(channels_[step.size], k);
      case kSend:
        send(channels_[step.size]);
        return kDone;
      case kFinite:
        return all_finite(*static_cast<Copy*>(step.third), x, step.threads) ? kDone : kNotFinite;
      case kClamp:
        clamp(*static_cast<Clamp*>(step.third), x, y, step.threads);
        return kDone;
      case kBinary:
        binary(*reinterpret_cast<Binary*>(step.size), x, y, static_cast<char*>(step.third),
               step.threads);
        return kDone;
      case kCopy:
        copy(&step, step.size + 1, step.threads);
        return kDone;
      case kTiles:
        return tiles_of(*static_cast<Tiling*>(step.third), static_cast<const float*>(step.first),
                        static_cast<float*>(step.second), step.threads)
                   ? kDone
                   : kNotFinite;
      case kImage:
        image_of(*static_cast<Tiling*>(step.third), static_cast<const float*>(step.first),
                 static_cast<float*>(step.second), step.threads);
        return kDone;
      case kOperator:
        return call(*static_cast<Operation*>(step.first));
      case kCall:
        return python(step.size, k);
      case kProduct:
        multiply(*static_cast<Product*>(step.third), static_cast<const float*>(step.first),
                 static_cast<float*>(step.second));
        return kDone;
      case kSendMessage:
        if (ramiel::send(mailbox_of(step), header_of(step))) return kDone;
        return python(step.size, k);
      case kReceiveMessage:
        if (ramiel::receive(mailbox_of(step), header_of(step), common_->spins)) return kDone;
        return python(step.size, k);
      case kEnter:
        while (!may_enter(gate_of(step), call_of(step), common_->spins, kMomentMs)) {
          if (common_->status.load()) return kStopped;
        }
        return kDone;
      case kLeave:
        ramiel::leave(gate_of(step), call_of(step));
        return kDone;
    }
    return kStopped;
  }

  static Count& gate_of(const Step& step) { return *static_cast<Count*>(step.first); }

  static int64_t call_of(const Step& step) { return *static_cast<const int64_t*>(step.second); }

  static Mailbox& mailbox_of(const Step& step) { return *static_cast<Mailbox*>(step.first); }

  static const int64_t* header_of(const Step& step) {
    return static_cast<const int64_t*>(step.second);
  }

  // A channel is a set of the seats that wait for it, modulo 63, and whether it was sent.
  void send(std::atomic<uint64_t>& channel) {
    uint64_t waiting = channel.fetch_or(kSent);
    if (waiting == 0) return;
    for (int k = 0; k < seat_count_; ++k) {
      if (waiting >> k % 63 & 1) seats_[k].bed.wake();
    }
  }

  int receive(std::atomic<uint64_t>& channel, int k) {
    if (!(channel.load(std::memory_order_acquire) & kSent)) {
      channel.fetch_or(uint64_t{1} << k % 63);
      wait(seats_[k],
           [this, &channel] { return (channel.load() & kSent) || common_->status.load(); });
    }
    return channel.load(std::memory_order_acquire) & kSent ? kDone : kStopped;
  }

  template <typename Ready>
  void wait(Seat& seat, Ready ready) {
    if (is_shared_) {
      watch(seat.bed, common_->spins, ready);
      return;
    }
    for (;;) {
      if (ready()) return;
      seat.state.store(kFree);
      wait_until(seat.bed, common_->spins, [&] { return ready() || seat.state.load() == kLent; });
      int free = kFree;
      if (seat.state.compare_exchange_strong(free, kBusy)) continue;
      Region* region;
      while (!(region = seat.region.exchange(nullptr))) pause();
      int index = seat.index;
      seat.state.store(kBusy);
      help(*region, index);
    }
  }

  // Waits as wait_until() does, while the processes live that this one works with. If one does not,
  // the run fails, and false is returned.
  template <typename Ready>
  bool watch(Bed& bed, int spins, Ready ready) {
    for (Turns turns; !turns.are(spins); turns.next()) {
      if (ready()) return true;
    }
    while (!ready()) {
      bed.sleep_unless(ready, parent_ ? kServeMs : kWatchMs);
      if (!ready() && (parent_ ? getppid() != parent_ : lost() != 0)) {
        fail(kLost, 0);
        return false;
      }
    }
    return true;
  }

  void fail(int status, int k) {
    int done = kDone;
    if (status == kStopped || !common_->status.compare_exchange_strong(done, status)) return;
    wake_all();
    if (on_failure_ != kNone) python(on_failure_, k);
  }

  // Calls a function of Python's for worker k, which is the caller's thread if it is worker 0 and no
  // step of it is such a call anyway.
  int python(int64_t function, int k) {
    if (k || calls_python_) return call_python(function);
    int status = kDone;
    apart([&status, function] { status = call_python(function); });
    return status;
  }

  // Has a thread of the team do a job that the caller's would do otherwise, and waits for it.
  template <typename Job>
  void apart(Job job) {
    is_over_.store(false);
    has_left_.store(false, std::memory_order_relaxed);
    run_on_team([this, &job] {
      job();
      is_over_.store(true);
      caller_.wake();
      has_left_.store(true, std::memory_order_release);
    });
    wait_until(caller_, 0, [this] { return is_over_.load(); });
    for (Turns turns; !has_left_.load(std::memory_order_acquire);) turns.next();
  }

  void wake_all() {
    for (int k = 0; k < seat_count_; ++k) seats_[k].bed.wake();
  }

  // The caller's, who may change addresses in them between runs.
  struct Steps {
    const Step* first;
    size_t count;
  };

  struct Freed {
    void operator()(char* memory) const { operator delete[](memory, std::align_val_t{kLine}); }
  };

  const int seat_count_, channel_count_;
  const bool is_shared_;
  std::vector<Steps> steps_;
  std::vector<int> pids_;  // by worker
  int parent_ = 0;         // of a process that serves
  uint32_t turns_ = 0;     // runs so far
  std::unique_ptr<char[], Freed> own_;
  Common* common_;
  Seat* seats_;
  std::atomic<uint64_t>* channels_;
  bool calls_python_ = false;  // worker 0
  int64_t on_failure_ = kNone;
  Bed caller_;
  std::atomic<bool> is_over_{false}, has_left_{false};  // what is done apart
};

}  // namespace

Parts* parts_of(void* plan) { return static_cast<Plan*>(plan); }

}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Plan;
using ramiel::Step;

RAMIEL_API void ramiel_attach(void* execute, void* call) {
  ramiel::execute = reinterpret_cast<decltype(ramiel::execute)>(execute);
  ramiel::call_python = reinterpret_cast<decltype(ramiel::call_python)>(call);
}

RAMIEL_API void ramiel_forget_pressure() { ramiel::pressure().forget(); }

RAMIEL_API int ramiel_attach_dispatcher(void* library) {
  return ramiel::attach_dispatcher(library);
}

RAMIEL_API int ramiel_answer_openmp_of(void* library) { return ramiel::answer_openmp_of(library); }

RAMIEL_API void* ramiel_plan_new(int workers, int seats, int channels, const Step* const* steps,
                                 const int64_t* counts, void* memory) {
  return new Plan(workers, seats, channels, steps, counts, memory);
}

RAMIEL_API int64_t ramiel_plan_memory_bytes(int workers, int channels) {
  return static_cast<int64_t>(Plan::memory_bytes(workers, channels));
}

RAMIEL_API void ramiel_plan_entrust(void* plan, int worker, int pid) {
  static_cast<Plan*>(plan)->entrust(worker, pid);
}

RAMIEL_API void ramiel_plan_on_failure(void* plan, int64_t function) {
  static_cast<Plan*>(plan)->on_failure(function);
}

RAMIEL_API int ramiel_plan_lost(void* plan) { return static_cast<Plan*>(plan)->lost(); }

RAMIEL_API void ramiel_plan_serve(void* plan, int worker, int parent) {
  static_cast<Plan*>(plan)->serve(worker, parent);
}

RAMIEL_API int ramiel_plan_run(void* plan, int spins, int64_t* times) {
  return static_cast<Plan*>(plan)->run(spins, times);
}

RAMIEL_API void ramiel_plan_delete(void* plan) { delete static_cast<Plan*>(plan); }
}
