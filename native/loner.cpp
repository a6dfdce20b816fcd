#include "loner.h"

#include <atomic>
#include <cstdint>

#include "team.h"

namespace ramiel {

// The parts 1.. of the region that a loner is in, and whose they are.
struct Loner::Offer {
  // `count * 4 + Owner`, where `count` is the number of regions so far.
  enum Owner : uint64_t { kNobody, kLoner, kOthers };
  std::atomic<uint64_t> state{kLoner};
  std::atomic<Region*> region{nullptr};
  std::atomic<bool> is_eager{false}, is_over{false};
  Bed bed;

  // Makes them `owner`'s, if they are still nobody's in that state.
  bool take(uint64_t seen, Owner owner) {
    return (seen & 3) == kNobody && state.compare_exchange_strong(seen, seen + owner);
  }

  void give_away(Region& region) {
    const int size = region.size;  // once all are through, the region may be another
    for (int index = 1; index < size; ++index) {
      run_on_team([&region, index] { help(region, index); });
    }
  }

  // Gives away what has been nobody's for too long.
  void watch() {
    uint64_t before = kLoner;
    while (!is_over.load()) {
      bed.sleep_unless([this] { return is_over.load(); }, kPatienceMs);
      uint64_t now = state.load();
      // The region is there until somebody has its parts: this thread, or the loner.
      if (now == before && take(now, kOthers)) {
        is_eager.store(true);
        give_away(*region.load());
      }
      before = now;
    }
  }
};

Loner::Loner() : offer_(std::make_shared<Offer>()) {
  run_on_team([offer = offer_] { offer->watch(); });
}

Loner::~Loner() {
  offer_->is_over.store(true);
  offer_->bed.wake();
}

void Loner::lend(Region& region) {
  uint64_t next = (offer_->state.load() / 4 + 1) * 4;
  bool is_eager = offer_->is_eager.load();
  offer_->region.store(&region);
  offer_->state.store(next + (is_eager ? Offer::kOthers : Offer::kNobody));
  if (is_eager) offer_->give_away(region);
}

bool Loner::take_back(Region&, int) {
  uint64_t state = offer_->state.load();
  return (state & 3) == Offer::kLoner || offer_->take(state, Offer::kLoner);
}

void Loner::wait_for_others(Region& region) {
  if (offer_->take(offer_->state.load(), Offer::kOthers)) offer_->give_away(region);
}

}  // namespace ramiel
