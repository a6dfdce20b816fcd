#include "crew.h"

#include <atomic>

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

thread_local std::unique_ptr<Crew> crew;

}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

// Whether this thread's regions run on a crew, and not on OpenMP's threads.
RAMIEL_API int ramiel_has_crew() { return ramiel::crew != nullptr; }

RAMIEL_API void ramiel_use_crew(int uses) {
  if (uses && !ramiel::crew) ramiel::crew = std::make_unique<ramiel::Crew>();
  ramiel::join_crew(uses ? ramiel::crew.get() : nullptr);
  if (!uses) ramiel::crew.reset();
}
}
