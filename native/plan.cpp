// Plans: what each worker of a program does, as a flat list of prepared steps, and their replay.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dispatcher.h"
#include "kernels.h"
#include "openmp.h"
#include "pressure.h"
#include "step.h"
#include "team.h"
#include "winograd.h"

namespace ramiel {
namespace {

// What a run ends with. More than that are the statuses of oneDNN and of calls.
enum Status : int32_t { kDone = 0, kNotFinite = -1, kStopped = -2 };

int (*execute)(void* primitive, void* stream, int count, void* arguments);
int (*call_python)(int64_t index);

constexpr uint64_t kSent = uint64_t{1} << 63;

class Plan final : public Lender {
 public:
  Plan(int workers, int seats, int channels, const Step* const* steps, const int64_t* counts)
      : channels_(channels), seats_(seats) {
    for (int k = 0; k < workers; ++k) {
      steps_.push_back({steps[k], static_cast<size_t>(counts[k])});
    }
    for (size_t i = 0; i < steps_[0].count; ++i) calls_python_ |= steps[0][i].kind == kCall;
  }

  ~Plan() {
    for (const Steps& steps : steps_) {
      for (size_t i = 0; i < steps.count; ++i) {
        const Step& step = steps.first[i];
        if (step.kind == kOperator) release(*static_cast<Operation*>(step.first));
      }
    }
  }

  // One run at a time. `times` (if it is there) gets ns before the first and after each step, worker
  // by worker.
  int run(int spins, int64_t* times) {
    static Pressure pressure;
    int64_t start = now_ns();
    spins_ = pressure.is_high(start) ? 0 : spins;
    preemptions_.store(0, std::memory_order_relaxed);
    for (auto& channel : channels_) channel.store(0, std::memory_order_relaxed);
    status_.store(kDone, std::memory_order_relaxed);
    finished_.store(0, std::memory_order_relaxed);
    left_.store(0, std::memory_order_relaxed);
    int workers = static_cast<int>(steps_.size()), seats = static_cast<int>(seats_.size());
    for (auto& seat : seats_) seat.state.store(kBusy, std::memory_order_relaxed);
    int64_t* begin = times;
    for (int k = 1; k < seats; ++k) {
      if (begin && k <= workers) begin += steps_[k - 1].count + 1;
      int64_t* mine = k < workers ? begin : nullptr;
      run_on_team([this, k, mine] {
        take_part(k, mine);
        left_.fetch_add(1, std::memory_order_release);
      });
    }
    int others = seats - 1;
    if (calls_python_) {
      // In the caller's thread, Python would run its handlers of signals before the function, and
      // what they raise would be lost, and the function's step skipped.
      ++others;
      is_over_.store(false);
      run_on_team([this, times] {
        take_part(0, times);
        is_over_.store(true);
        caller_.wake();
        left_.fetch_add(1, std::memory_order_release);
      });
      wait_until(caller_, 0, [this] { return is_over_.load(); });
    } else {
      take_part(0, times);
    }
    // Nobody may be in this plan any more when it is run again.
    Turns turns;
    while (left_.load(std::memory_order_acquire) != others) turns.next();
    if (spins_ > 0 && seats > 1) {
      int64_t end = now_ns();
      pressure.note(end - start, preemptions_.load(std::memory_order_relaxed), end);
    }
    return status_.load(std::memory_order_relaxed);
  }

  void lend(Region& region) override {
    int index = 1;
    for (Turns turns; index < region.size; turns.next()) {
      for (size_t k = 0; k < seats_.size() && index < region.size; ++k) {
        Seat& seat = seats_[k];
        int free = kFree;
        if (seat.state.load(std::memory_order_relaxed) == kFree &&
            seat.state.compare_exchange_strong(free, kLent)) {
          seat.index = index++;
          seat.region.store(&region);
          seat.bed.wake();
        }
      }
      // A schedule that reserves cores has them free soon. One that does not gets more threads.
      for (; turns.are(kPatience) && index < region.size; ++index) {
        run_on_team([&region, index] { help(region, index); });
      }
    }
  }

 private:
  enum { kBusy, kFree, kLent };

  // Where a thread sits in a run: a worker, or a helper without steps of its own. While it waits it
  // is free to help others.
  struct alignas(64) Seat {
    std::atomic<int> state{kBusy};
    std::atomic<Region*> region{nullptr};
    int index = 0;
    Bed bed;
  };

  static constexpr int kPatience = 20000;

  void take_part(int k, int64_t* times) {
    int64_t before = spins_ > 0 ? preemptions() : 0;
    if (k < static_cast<int>(steps_.size())) {
      work(k, times);
      set_crew(nullptr, 1);
      if (finished_.fetch_add(1) + 1 == static_cast<int>(steps_.size())) wake_all();
    }
    wait(seats_[k], [this] { return finished_.load() == static_cast<int>(steps_.size()); });
    if (spins_ > 0) preemptions_.fetch_add(preemptions() - before, std::memory_order_relaxed);
  }

  void work(int k, int64_t* times) {
    int threads = 0;
    OperatorMode mode;
    const Steps& steps = steps_[k];
    if (times) *times++ = now_ns();
    for (size_t i = 0; i < steps.count; ++i) {
      const Step& step = steps.first[i];
      if (step.threads != threads) {
        set_crew(this, threads = step.threads);
        mode.set_threads(threads);
      }
      if (int status = perform(step, k); status != kDone) return fail(status);
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
        return call_python(step.size);
    }
    return kStopped;
  }

  // A channel is a set of the seats that wait for it, modulo 63, and whether it was sent.
  void send(std::atomic<uint64_t>& channel) {
    uint64_t waiting = channel.fetch_or(kSent);
    if (waiting == 0) return;
    for (size_t k = 0; k < seats_.size(); ++k) {
      if (waiting >> k % 63 & 1) seats_[k].bed.wake();
    }
  }

  int receive(std::atomic<uint64_t>& channel, int k) {
    if (!(channel.load(std::memory_order_acquire) & kSent)) {
      channel.fetch_or(uint64_t{1} << k % 63);
      wait(seats_[k], [this, &channel] { return (channel.load() & kSent) || status_.load(); });
    }
    return channel.load(std::memory_order_acquire) & kSent ? kDone : kStopped;
  }

  template <typename Ready>
  void wait(Seat& seat, Ready ready) {
    for (;;) {
      if (ready()) return;
      seat.state.store(kFree);
      wait_until(seat.bed, spins_, [&] { return ready() || seat.state.load() == kLent; });
      int free = kFree;
      if (seat.state.compare_exchange_strong(free, kBusy)) continue;
      Region* region;
      while (!(region = seat.region.exchange(nullptr))) pause();
      int index = seat.index;
      seat.state.store(kBusy);
      help(*region, index);
    }
  }

  void fail(int status) {
    int done = kDone;
    if (status != kStopped && status_.compare_exchange_strong(done, status)) wake_all();
  }

  void wake_all() {
    for (auto& seat : seats_) seat.bed.wake();
  }

  // The caller's, who may change addresses in them between runs.
  struct Steps {
    const Step* first;
    size_t count;
  };

  std::vector<Steps> steps_;
  std::vector<std::atomic<uint64_t>> channels_;
  std::vector<Seat> seats_;
  bool calls_python_ = false;  // worker 0
  Bed caller_;
  std::atomic<bool> is_over_{false};
  int spins_ = 0;
  std::atomic<int64_t> preemptions_{0};
  std::atomic<int> status_{kDone};
  std::atomic<int> finished_{0};  // workers
  std::atomic<int> left_{0};      // threads, but for the caller's
};

}  // namespace
}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Plan;
using ramiel::Step;

RAMIEL_API void ramiel_attach(void* execute, void* call) {
  ramiel::execute = reinterpret_cast<decltype(ramiel::execute)>(execute);
  ramiel::call_python = reinterpret_cast<decltype(ramiel::call_python)>(call);
}

RAMIEL_API int ramiel_attach_dispatcher(void* library) {
  return ramiel::attach_dispatcher(library);
}

RAMIEL_API int ramiel_answer_openmp_of(void* library) { return ramiel::answer_openmp_of(library); }

RAMIEL_API void* ramiel_plan_new(int workers, int seats, int channels, const Step* const* steps,
                      const int64_t* counts) {
  return new Plan(workers, seats, channels, steps, counts);
}

RAMIEL_API int ramiel_plan_run(void* plan, int spins, int64_t* times) {
  return static_cast<Plan*>(plan)->run(spins, times);
}

RAMIEL_API void ramiel_plan_delete(void* plan) { delete static_cast<Plan*>(plan); }
}
