// Calls of ranks that share memory, without Python from the announcement of a call to the reports.

#include <cstdint>

#include "messages.h"

extern "C" int ramiel_plan_run(void* plan, int spins, int64_t* times);

namespace ramiel {
namespace {

// What the ranks' calls end with, besides the statuses of runs (plan.cpp).
enum { kSaidOtherwise = -5 };

constexpr int kReportMs = 20;

}  // namespace
}  // namespace ramiel

#define RAMIEL_API __attribute__((visibility("default")))

extern "C" {

using ramiel::Said;

// On rank 0: announces a call, sends the inputs that other ranks read, replays this rank's plan and
// waits for the reports. `is_open` is 1 from the announcement until all has come as it is known;
// what was not said as it is known has not been taken.
RAMIEL_API int ramiel_ranks_call(void* plan, int64_t call, const Said* announcement,
                                 const Said* inputs, int input_count, const Said* reports,
                                 int report_count, int spins, int* is_open) {
  *is_open = 1;
  ramiel::tell(*announcement, call);
  for (int i = 0; i < input_count; ++i) ramiel::send(*inputs[i].box, inputs[i].known);
  if (int status = ramiel_plan_run(plan, spins, nullptr)) return status;
  for (int i = 0; i < report_count; ++i) {
    const int64_t* of = ramiel::next(reports[i], spins, ramiel::kReportMs);
    if (!of || *of != call) return ramiel::kSaidOtherwise;
  }
  for (int i = 0; i < report_count; ++i) ramiel::take(reports[i]);
  *is_open = 0;
  return 0;
}

// On another rank: waits for the announcement of a call, spinning so often and then for so many ms,
// and replays the plan. `call` gets its number.
RAMIEL_API int ramiel_ranks_serve(void* plan, int64_t* call, const Said* announcement, int spins,
                                  int most_ms) {
  const int64_t* number = ramiel::next(*announcement, spins, most_ms);
  if (!number) return ramiel::kSaidOtherwise;
  *call = *number;
  ramiel::take(*announcement);
  return ramiel_plan_run(plan, spins, nullptr);
}

// Says how a call has ended on this rank.
RAMIEL_API void ramiel_ranks_report(const Said* report, int64_t call) {
  ramiel::tell(*report, call);
}
}
