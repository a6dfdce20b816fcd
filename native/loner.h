// A thread that does all parts of its regions itself, one after the other.
//
// Several requests at a time on one core each take less of the cores than one on all of them, whose
// threads wait for each other. The parts of a region and their number are those of several threads,
// and so are the bits of results. Only where parts wait for each other do others get a thread: at a
// barrier at once, where a kernel waits otherwise, after kPatienceMs, and from then on always.

#pragma once

#include <memory>

#include "openmp.h"

namespace ramiel {

class Loner final : public Lender {
 public:
  Loner();
  ~Loner() override;
  void lend(Region& region) override;
  bool take_back(Region& region, int index) override;
  void wait_for_others(Region& region) override;

  static constexpr int kPatienceMs = 200;

 private:
  struct Offer;
  std::shared_ptr<Offer> offer_;
};

}  // namespace ramiel
