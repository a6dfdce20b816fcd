#include "crew.h"

#include <atomic>
#include <utility>

#include "loner.h"
#include "team.h"

namespace ramiel {

struct Helper {
  std::atomic<Region*> region{nullptr};  // of which nobody has begun its part
  std::atomic<bool> is_over{false};
  Bed bed;

  void serve(int index) {
    while (!is_over.load()) {
      wait_until(bed, kEager, [this] { return region.load() != nullptr || is_over.load(); });
      if (Region* begun = region.exchange(nullptr)) help(*begun, index);
    }
  }
};

Crew::~Crew() {
  for (auto& helper : helpers_) {
    helper->is_over.store(true);
    helper->bed.wake();
  }
}

void Crew::lend(Region& region) {
  for (int index = 1; index < region.size; ++index) {
    if (static_cast<size_t>(index) > helpers_.size()) {
      auto helper = std::make_shared<Helper>();
      helpers_.push_back(helper);
      run_on_team([helper, index] { helper->serve(index); });
    }
    Helper& helper = *helpers_[index - 1];
    helper.region.store(&region);
    helper.bed.wake();
  }
}

bool Crew::take_back(Region&, int index) {
  return helpers_[index - 1]->region.exchange(nullptr) != nullptr;
}

// What this thread's regions run on, and who lends it threads for them.
thread_local std::unique_ptr<Lender> crew;
thread_local Regions regions = kOpenMP;

Lender* loner() { return regions == kAlone ? crew.get() : nullptr; }

}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

// On what this thread's regions run.
RAMIEL_API int ramiel_regions() { return ramiel::regions; }

RAMIEL_API void ramiel_set_regions(int regions) {
  using namespace ramiel;
  if (regions == ramiel::regions) return;
  std::unique_ptr<Lender> next;
  if (regions == kCrew) next = std::make_unique<Crew>();
  if (regions == kAlone) next = std::make_unique<Loner>();
  join_crew(next.get());
  crew = std::move(next);
  ramiel::regions = static_cast<Regions>(regions);
}
}
