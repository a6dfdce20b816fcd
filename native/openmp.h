// OpenMP for oneDNN and PyTorch, answered by our threads.
//
// A kernel on several threads enters a parallel region of OpenMP, which GNU's runtime would run on
// a pool of its own: one pool for each thread that ever called it, whose idle threads spin on cores
// that a schedule has given to others. So the entry points that a library calls lead here. In a
// thread that replays a plan, a region runs on threads that the plan has reserved; in one that runs
// a program in Python, on a crew (crew.h); in any other, everything goes on to GNU's runtime.

#pragma once

#include <atomic>
#include <map>
#include <mutex>

namespace ramiel {

// A loop, sections or a single block that the threads of a region share out among them.
struct Share {
  long start = 0, increment = 1, chunk = 1, count = 0;  // iterations
  std::atomic<long> next{0};                            // the first that nobody has
  std::atomic<long> turn{0};                            // the first whose ordered part is to come
};

// A parallel region: `function(data)` once on each of `size` threads.
struct Region {
  void (*function)(void*) = nullptr;
  void* data = nullptr;
  int size = 1;
  std::atomic<int> done{0};     // threads, without the one that entered it, that have returned
  std::atomic<int> arrived{0};  // threads at the barrier
  std::atomic<int> passed{0};   // barriers so far

  // The share of one construct, counted from the beginning of the region. `created` says whether
  // the caller is the first to come to it.
  Share& share(int construct, bool* created);
  void reset();

 private:
  std::mutex mutex_;
  std::map<int, Share> shares_;  // empty as a rule: most loops are divided without
};

// Runs the part of one thread, 1..size-1, of a region that another thread entered.
void help(Region& region, int index);

// Who finds threads for a region.
class Lender {
 public:
  // Has `help(region, i)` called in a thread of its own for i = 1..size-1.
  virtual void lend(Region& region) = 0;

  // Whether nobody has begun part `index` of a region, and nobody will any more.
  virtual bool take_back(Region&, int) { return false; }

  // The thread that entered a region waits in it for the others.
  virtual void wait_for_others(Region&) {}

  virtual ~Lender() = default;
};

// In this thread, until it is called again, regions get up to `width` threads from a lender.
// With no lender, they are OpenMP's.
void set_crew(Lender* lender, int width);

// The same for a thread that sets its number of threads itself: regions get as many.
void join_crew(Lender* lender);

// Restores at the end of a scope what this thread's regions get their threads from.
class Crewed {
 public:
  Crewed();
  ~Crewed();
  Crewed(const Crewed&) = delete;

 private:
  Lender* lender_;
  int width_;
  bool sets_width_;
};

// `function(data, index, size)` for `size` indices: on up to `threads` threads of the lender's, else of
// OpenMP's.
void on_threads(int threads, void (*function)(void* data, int index, int size), void* data);

// Leads the calls of OpenMP that a loaded library makes to here. Returns how many functions that
// were, or -1 if the library calls a function of GNU's runtime that is not answered here.
int answer_openmp_of(void* library);

}  // namespace ramiel
