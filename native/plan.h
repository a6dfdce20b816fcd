// A plan whose parts are done one by one: of a pipeline, whose workers go from plan to plan.

#pragma once

#include "team.h"

namespace ramiel {

class Parts {
 public:
  virtual int workers() const = 0;

  // Before the parts of a run, once those of the last one are over. Who waits spins so often.
  virtual void begin(int spins) = 0;

  // Does worker k's part, and wakes `bed` if it was the last one.
  virtual void do_part(int k, Bed& bed) = 0;

  // Waits until all parts are over, and returns the run's status.
  virtual int wait_for_parts(Bed& bed) = 0;

  // Ends the run early: parts that have not begun do nothing, others no longer wait.
  virtual void drop() = 0;

  // Says in a process which it was forked from.
  virtual void belong_to(int parent) = 0;

 protected:
  ~Parts() = default;
};

// Those of a plan by its handle.
Parts* parts_of(void* plan);

}  // namespace ramiel
