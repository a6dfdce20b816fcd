// Pipelines: plans that are copies of each other, for runs that follow each other. Run i is that of
// copy i modulo their number. Each worker does its part of one run after the other, in their order,
// so that several runs are under way at a time, each at another worker.

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "plan.h"
#include "team.h"

namespace ramiel {
namespace {

// One thread at a time submits runs and waits for them, in their order. At most as many are
// submitted ahead of those waited for as there are copies.
class Pipeline {
 public:
  // Processes share `memory`, of memory_bytes() zeros.
  Pipeline(void* const* plans, int count, void* memory) {
    for (int i = 0; i < count; ++i) plans_.push_back(parts_of(plans[i]));
    if (!memory) {
      own_.reset(new (std::align_val_t{kLine}) char[memory_bytes(workers())]());
      memory = own_.get();
    }
    common_ = new (memory) Common;
    places_ = reinterpret_cast<Place*>(static_cast<char*>(memory) + sizeof(Common));
    for (int k = 0; k < workers(); ++k) new (&places_[k]) Place;
  }

  static size_t memory_bytes(int workers) { return sizeof(Common) + sizeof(Place) * workers; }

  // Has a thread of this process work as worker k.
  void start(int k) {
    ++started_;
    run_on_team([this, k] {
      work(k, [this, k](auto ready) { wait_until(places_[k].bed, kEager, ready); });
      common_->left.fetch_add(1, std::memory_order_release);
    });
  }

  // Works as worker k, in a process that was forked from `parent`, until that has ended.
  void serve(int k, int parent) {
    for (Parts* plan : plans_) plan->belong_to(parent);
    work(k, [this, k, parent](auto ready) {
      for (Turns turns; !turns.are(kEager); turns.next()) {
        if (ready()) return;
      }
      while (!ready() && getppid() == parent) places_[k].bed.sleep_unless(ready, kServeMs);
    });
  }

  void submit(int spins) {
    int64_t run = common_->submitted.load(std::memory_order_relaxed);
    plan(run).begin(spins);
    common_->submitted.store(run + 1);
    wake_all();
  }

  // The status with which a run has ended.
  int wait(int64_t run) { return plan(run).wait_for_parts(common_->caller); }

  // Drops the runs under way, and returns when the threads have left. Nothing is submitted any
  // more. May be repeated.
  void close() {
    for (Parts* plan : plans_) plan->drop();
    common_->closed.store(1);
    wake_all();
    for (Turns turns; common_->left.load(std::memory_order_acquire) < started_;) turns.next();
  }

 private:
  static constexpr size_t kLine = 64;
  static constexpr int kServeMs = 500;

  struct alignas(kLine) Common {
    std::atomic<int64_t> submitted{0};
    std::atomic<int> closed{0};
    std::atomic<int> left{0};  // threads
    Bed caller;
  };

  struct alignas(kLine) Place {
    Bed bed;
  };

  int workers() const { return plans_[0]->workers(); }

  Parts& plan(int64_t run) { return *plans_[run % static_cast<int64_t>(plans_.size())]; }

  // `wait(ready)` may return early if nothing is to come any more.
  template <typename Wait>
  void work(int k, Wait wait) {
    for (int64_t run = 0;; ++run) {
      auto is_there = [this, run] { return common_->submitted.load() > run; };
      wait([&] { return is_there() || common_->closed.load(); });
      if (!is_there()) return;
      plan(run).do_part(k, common_->caller);
    }
  }

  void wake_all() {
    for (int k = 0; k < workers(); ++k) places_[k].bed.wake();
  }

  struct Freed {
    void operator()(char* memory) const { operator delete[](memory, std::align_val_t{kLine}); }
  };

  std::vector<Parts*> plans_;
  int started_ = 0;
  std::unique_ptr<char[], Freed> own_;
  Common* common_;
  Place* places_;
};

}  // namespace
}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Pipeline;

RAMIEL_API void* ramiel_pipeline_new(void* const* plans, int count, void* memory) {
  return new Pipeline(plans, count, memory);
}

RAMIEL_API int64_t ramiel_pipeline_memory_bytes(int workers) {
  return static_cast<int64_t>(Pipeline::memory_bytes(workers));
}

RAMIEL_API void ramiel_pipeline_start(void* pipeline, int worker) {
  static_cast<Pipeline*>(pipeline)->start(worker);
}

RAMIEL_API void ramiel_pipeline_serve(void* pipeline, int worker, int parent) {
  static_cast<Pipeline*>(pipeline)->serve(worker, parent);
}

RAMIEL_API void ramiel_pipeline_submit(void* pipeline, int spins) {
  static_cast<Pipeline*>(pipeline)->submit(spins);
}

RAMIEL_API int ramiel_pipeline_wait(void* pipeline, int64_t run) {
  return static_cast<Pipeline*>(pipeline)->wait(run);
}

RAMIEL_API void ramiel_pipeline_close(void* pipeline) {
  static_cast<Pipeline*>(pipeline)->close();
}

RAMIEL_API void ramiel_pipeline_delete(void* pipeline) {
  delete static_cast<Pipeline*>(pipeline);
}
}
