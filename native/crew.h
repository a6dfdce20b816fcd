// The threads on which regions of OpenMP run in a thread that runs a program in Python.
//
// GNU's runtime gives each thread of a team its part of a region and waits for all of them. Where
// other processes compute, some of them have no core for milliseconds, and a call of a program that
// prepares its kernels has thousands of regions: it took 6 to 45 s instead of 1.5. A crew's thread
// does all parts itself that no other has begun by then.

#pragma once

#include <memory>
#include <vector>

#include "openmp.h"

namespace ramiel {

struct Helper;

class Crew final : public Lender {
 public:
  ~Crew() override;
  void lend(Region& region) override;
  bool take_back(Region& region, int index) override;

 private:
  // Part i of a region is helper i - 1's.
  std::vector<std::shared_ptr<Helper>> helpers_;
};

// What the regions that a thread enters run on: OpenMP's threads, a crew, or the thread alone.
enum Regions : int { kOpenMP, kCrew, kAlone };

// Who does the regions of this thread if it does them alone; null if it does not.
Lender* loner();

}  // namespace ramiel
