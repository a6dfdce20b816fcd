// Replays plans of random tasks and channels, many at a time, for the sanitizers: `make sanitize`.
//
// Each plan is a random graph: every worker adds to numbers that it gets through channels, on one
// thread or, by OpenMP, on several, in calls as of Python's or of PyTorch's operators. A wrong sum, a
// hang, a race or memory that is not freed is a fault of the executor. So are they in pipelines, whose
// workers go through the copies of such a graph, in messages between two ends, and in threads that use a
// crew.

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "crew.h"
#include "dispatcher.h"
#include "messages.h"
#include "openmp.h"
#include "step.h"

extern "C" {
void ramiel_attach(void* execute, void* call);
int ramiel_attach_dispatcher(void* library);
int ramiel_answer_openmp_of(void* library);
void* ramiel_plan_new(int workers, int seats, int channels, const ramiel::Step* const* steps,
                      const int64_t* counts, void* memory);
int ramiel_plan_run(void* plan, int spins, int64_t* times);
void ramiel_plan_delete(void* plan);
void* ramiel_pipeline_new(void* const* plans, int count, void* memory);
void ramiel_pipeline_start(void* pipeline, int worker);
void ramiel_pipeline_submit(void* pipeline, int spins);
int ramiel_pipeline_wait(void* pipeline, int64_t run);
void ramiel_pipeline_close(void* pipeline);
void ramiel_pipeline_delete(void* pipeline);
int ramiel_regions();
void ramiel_set_regions(int regions);
}

namespace {

// What a step of a test does: adds its inputs and one to its result, `threads` times, one part each.
struct Task {
  std::vector<const int64_t*> inputs;
  int64_t* result;
  int threads;
  bool fails;
};

// OpenMP's constructs, all of which this program's own calls of GNU's runtime lead to openmp.cpp for.
bool openmp_is_right(int threads) {
  int64_t dynamic = 0, chunks = 0, singles = 0, sections = 0, wrong = 0;
  std::vector<int> order;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic, 3)
    for (int i = 0; i < 50; ++i) {
#pragma omp atomic
      dynamic += i;
    }
#pragma omp single
    ++singles;
#pragma omp for schedule(static, 4) nowait
    for (int i = 100; i > 0; i -= 3) {
#pragma omp atomic
      chunks += i;
    }
#pragma omp barrier
    if (chunks != 1717) {
#pragma omp atomic
      ++wrong;
    }
#pragma omp sections
    {
#pragma omp section
      {
#pragma omp atomic
        sections += 1;
      }
#pragma omp section
      {
#pragma omp atomic
        sections += 10;
      }
    }
#pragma omp for ordered schedule(dynamic, 2)
    for (int i = 0; i < 9; ++i) {
#pragma omp ordered
      order.push_back(i);
    }
#pragma omp parallel num_threads(3)
    {
#pragma omp single
      {
#pragma omp atomic
        ++singles;
      }
    }
  }
  bool in_order = order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8};
  return dynamic == 1225 && singles == 1 + threads && sections == 11 && !wrong && in_order;
}

int perform(int64_t address) {
  auto& task = *reinterpret_cast<Task*>(address);
  int64_t sum = 1;
  for (const int64_t* input : task.inputs) sum += *input;
  std::atomic<int64_t> parts{0};
  struct Work {
    std::atomic<int64_t>& parts;
    int64_t sum;
  } work{parts, sum};
  ramiel::on_threads(
      task.threads,
      [](void* data, int, int) {
        auto& work = *static_cast<Work*>(data);
        work.parts.fetch_add(work.sum);
      },
      &work);
  if (!openmp_is_right(task.threads)) return 9;
  *task.result = parts.load() / task.threads;
  return task.fails ? 7 : 0;
}

}  // namespace

// What a dispatcher of PyTorch's does with what it is given, for one operator: adds the task of its
// first argument up, frees all arguments, and makes a tensor of the sum. A handle is an address.
extern "C" {

using Value = uint64_t;
using List = std::vector<Value>;
struct Handle {
  void* data;
  int64_t own = 0;
};

int32_t aoti_torch_device_type_cpu() { return 0; }

int aoti_torch_create_tensor_from_blob(void* data, int64_t, const int64_t*, const int64_t*, int64_t,
                                       int32_t, int32_t, int32_t, void** handle) {
  *handle = new Handle{data};
  return 0;
}

int aoti_torch_new_tensor_handle(void* handle, void** copy) {
  *copy = new Handle{static_cast<Handle*>(handle)->data};
  return 0;
}

int aoti_torch_delete_tensor_object(void* handle) {
  delete static_cast<Handle*>(handle);
  return 0;
}

int aoti_torch_tensor_copy_(void* from, void* to) {
  *static_cast<int64_t*>(static_cast<Handle*>(to)->data) = static_cast<Handle*>(from)->own;
  return 0;
}

int torch_new_list_reserve_size(size_t, void** list) {
  *list = new List;
  return 0;
}

int torch_list_push_back(void* list, Value value) {
  static_cast<List*>(list)->push_back(value);
  return 0;
}

int torch_new_string_handle(const char* bytes, size_t length, void** string) {
  *string = new std::string(bytes, length);
  return 0;
}

thread_local bool has_gradients = true;

bool aoti_torch_grad_mode_is_enabled() { return has_gradients; }

void aoti_torch_grad_mode_set_enabled(bool enabled) { has_gradients = enabled; }

int torch_get_num_threads(uint32_t* threads) {
  *threads = 1;
  return 0;
}

int aoti_torch_call_dispatcher(const char* name, const char* overload, Value* stack) {
  auto task = reinterpret_cast<Task*>(stack[0]);
  auto* inputs = reinterpret_cast<List*>(stack[1]);
  auto* one = reinterpret_cast<Value*>(stack[2]);
  auto* string = reinterpret_cast<std::string*>(stack[4]);
  bool is_right = std::string(name) + overload + *string == "addupnumbers" && stack[3] == 0 &&
                  *one == 1 && !has_gradients && inputs->size() == task->inputs.size();
  for (size_t i = 0; i < inputs->size(); ++i) {
    auto* input = reinterpret_cast<Handle*>((*inputs)[i]);
    is_right = is_right && input->data == task->inputs[i];
    delete input;
  }
  delete inputs;
  delete one;
  delete string;
  if (perform(stack[0]) || !is_right) return 1;
  stack[0] = reinterpret_cast<Value>(new Handle{nullptr, *task->result});
  return 0;
}
}

namespace {

// Such an operator's arguments.
struct Operator {
  explicit Operator(Task& task) {
    for (const int64_t* input : task.inputs) tensors.push_back(tensor(input));
    for (auto& input : tensors) {
      inputs.emplace_back();
      inputs.back().kind = ramiel::Argument::kTensor;
      inputs.back().tensor = &input;
    }
    one.kind = arguments[0].kind = ramiel::Argument::kBits;
    arguments[0].bits = reinterpret_cast<uint64_t>(&task);
    arguments[1].kind = ramiel::Argument::kList;
    arguments[1].count = static_cast<int32_t>(inputs.size());
    arguments[1].items = inputs.data();
    one.bits = 1;
    arguments[2].kind = ramiel::Argument::kSome;
    arguments[2].count = 1;
    arguments[2].items = &one;
    arguments[3].kind = ramiel::Argument::kNone;
    arguments[4].kind = ramiel::Argument::kString;
    arguments[4].string = "numbers";
    arguments[4].count = 7;
    result = tensor(task.result);
    operation = {"add", "up", arguments, &target, stack, 5, 1};
  }

  static ramiel::Tensor tensor(const int64_t* data) {
    return {const_cast<int64_t*>(data), nullptr, nullptr, nullptr, nullptr, 0, 0};
  }

  std::vector<ramiel::Tensor> tensors;
  std::vector<ramiel::Argument> inputs;
  ramiel::Argument one, arguments[5];
  ramiel::Tensor result, *target = &result;
  uint64_t stack[5];
  ramiel::Operation operation;
};

struct Random {
  std::mt19937 engine;
  int below(int n) { return static_cast<int>(engine() % static_cast<unsigned>(n)); }
};

// A plan of random tasks, and what they compute.
class Graph {
 public:
  // With `wide`, tasks may be on several threads.
  Graph(unsigned seed, int workers, int tasks, bool wide) : random_{std::mt19937(seed)} {
    results_.resize(tasks);
    expected_.resize(tasks);
    steps_.resize(workers);
    // A channel for each task that another worker reads.
    std::vector<int> worker(tasks), channel(tasks, -1);
    int channels = 0;
    for (int t = 0; t < tasks; ++t) {
      worker[t] = random_.below(workers);
      auto task = std::make_unique<Task>();
      task->result = &results_[t];
      task->threads = wide && random_.below(4) == 0 ? 1 + random_.below(workers) : 1;
      task->fails = false;
      expected_[t] = 1;
      for (int k = random_.below(3); k > 0 && t > 0; --k) {
        int from = std::max(0, t - 1 - random_.below(6));
        task->inputs.push_back(&results_[from]);
        expected_[t] += expected_[from];
        if (worker[from] != worker[t]) {
          if (channel[from] < 0) channel[from] = channels++;
          add(worker[t], {ramiel::kReceive, 1, nullptr, nullptr, nullptr, channel[from], 0});
        }
      }
      // Numbers stay small enough for an int64.
      if (expected_[t] > (int64_t{1} << 40)) {
        task->inputs.clear();
        expected_[t] = 1;
      }
      if (random_.below(2)) {
        operators_.push_back(std::make_unique<Operator>(*task));
        void* operation = &operators_.back()->operation;
        add(worker[t], {ramiel::kOperator, task->threads, operation, nullptr, nullptr, 0, 0});
      } else {
        int64_t address = reinterpret_cast<int64_t>(task.get());
        add(worker[t], {ramiel::kCall, task->threads, nullptr, nullptr, nullptr, address, 0});
      }
      // Whether somebody will read it is not known yet: all are sent that may be.
      if (channel[t] < 0) channel[t] = channels++;
      add(worker[t], {ramiel::kSend, 1, nullptr, nullptr, nullptr, channel[t], 0});
      tasks_.push_back(std::move(task));
    }
    std::vector<const ramiel::Step*> lists;
    std::vector<int64_t> counts;
    for (auto& list : steps_) {
      lists.push_back(list.data());
      counts.push_back(static_cast<int64_t>(list.size()));
    }
    plan_ = ramiel_plan_new(workers, workers, channels, lists.data(), counts.data(),
                            nullptr);
  }

  ~Graph() { ramiel_plan_delete(plan_); }

  bool run(int spins) {
    begin();
    return ends_with(ramiel_plan_run(plan_, spins, nullptr));
  }

  // Before a run: has one of its tasks fail, now and then.
  void begin() {
    failing_ = random_.below(8) == 0 ? tasks_[random_.below(static_cast<int>(tasks_.size()))].get()
                                     : nullptr;
    if (failing_) failing_->fails = true;
    std::fill(results_.begin(), results_.end(), 0);
  }

  // Whether that is what the run should end with, and so are the results.
  bool ends_with(int status) {
    if (!failing_) return status == 0 && results_ == expected_;
    failing_->fails = false;
    return status == 7 || status == 1;
  }

  void* plan() const { return plan_; }

 private:
  void add(int worker, ramiel::Step step) { steps_[worker].push_back(step); }

  Random random_;
  std::vector<int64_t> results_, expected_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<std::vector<ramiel::Step>> steps_;
  Task* failing_ = nullptr;
  void* plan_;
};

// Submits runs to a pipeline and waits for them, with more or fewer of them under way, and closes it
// in the middle. How many were wrong.
int wrong_in_pipeline(unsigned seed, int workers, int count, int runs, int spins) {
  std::vector<std::unique_ptr<Graph>> graphs;
  std::vector<void*> plans;
  for (int i = 0; i < count; ++i) {
    graphs.push_back(std::make_unique<Graph>(seed, workers, 60, false));
    plans.push_back(graphs.back()->plan());
  }
  void* pipeline = ramiel_pipeline_new(plans.data(), count, nullptr);
  for (int k = 0; k < workers; ++k) ramiel_pipeline_start(pipeline, k);
  Random random{std::mt19937(seed)};
  int wrong = 0, submitted = 0;
  for (int waited = 0; waited < runs; ++waited) {
    int most = waited + 1 + random.below(count);
    while (submitted < most) {
      graphs[submitted++ % count]->begin();
      ramiel_pipeline_submit(pipeline, spins);
    }
    wrong += !graphs[waited % count]->ends_with(ramiel_pipeline_wait(pipeline, waited));
  }
  ramiel_pipeline_close(pipeline);
  ramiel_pipeline_delete(pipeline);
  return wrong;
}

// How often OpenMP is wrong in a thread that runs a program in Python, and replays plans between.
int wrong_on(ramiel::Regions regions, unsigned seed, int runs) {
  Graph graph(seed, 2, 20, true), serial(seed, 1, 20, true);
  int wrong = 0;
  for (int i = 0; i < runs; ++i) {
    ramiel_set_regions(regions);
    for (int threads = 1; threads < 5; ++threads) wrong += !openmp_is_right(threads);
    wrong += !graph.run(0) + !serial.run(0);
    wrong += !openmp_is_right(3) || ramiel_regions() != regions;
    if (i % 3 == 0) ramiel_set_regions(ramiel::kOpenMP);
  }
  ramiel_set_regions(ramiel::kOpenMP);
  return wrong + (ramiel_regions() != ramiel::kOpenMP);
}

// Whether parts of regions that wait for each other without a barrier get threads, too.
int wrong_waits() {
  int met = 0;
  ramiel_set_regions(ramiel::kAlone);
  for (int i = 0; i < 20; ++i) {
    std::atomic<int> arrived{0};
    ramiel::on_threads(
        3,
        [](void* data, int, int size) {
          auto& arrived = *static_cast<std::atomic<int>*>(data);
          for (arrived.fetch_add(1); arrived.load() < size;) std::this_thread::yield();
        },
        &arrived);
    met += arrived.load() == 3;
  }
  ramiel_set_regions(ramiel::kOpenMP);
  return 20 - met;
}

// Calls in each of which a thread sends, two of another end receive, and one of these answers. How
// many were wrong.
int wrong_messages(int calls, int spins) {
  struct Place {
    ramiel::Count count{};
    int64_t header[24]{};
  } there, back;
  const int64_t known[24] = {1, 0, 0, 0, 2};
  std::copy_n(known, 24, there.header);
  std::copy_n(known, 24, back.header);
  int64_t call = 0, answered = 0, sum = 0, expected = 0;
  ramiel::Mailbox out{&there.count, there.header, &call, {}, {}};
  ramiel::Mailbox in{&there.count, there.header, &answered, {}, {}};
  ramiel::Mailbox answers{&back.count, back.header, &answered, {}, {}};
  ramiel::Mailbox heard{&back.count, back.header, &call, {}, {}};
  int64_t value = 0;
  auto receives = [&known, spins](ramiel::Mailbox& box) {
    while (!ramiel::receive(box, known, spins)) continue;
  };
  std::thread other([&] {
    for (int i = 1; i <= calls; ++i) {
      answered = i;
      int64_t seen = 0;
      std::thread third([&] {
        receives(in);
        seen = value;
      });
      receives(in);
      sum += value;
      third.join();
      sum += seen;
      ramiel::send(answers, known);
    }
  });
  for (int i = 1; i <= calls; ++i) {
    call = value = i;
    expected += 2 * i;
    ramiel::send(out, known);
    ramiel::send(out, known);  // which was done already
    receives(heard);
  }
  other.join();
  return sum != expected;
}

}  // namespace

int main(int count, char** arguments) {
  int runs = count > 1 ? std::atoi(arguments[1]) : 200;
  ramiel_attach(nullptr, reinterpret_cast<void*>(perform));
  if (!ramiel_attach_dispatcher(dlopen(nullptr, RTLD_LAZY))) return 3;
  if (ramiel_answer_openmp_of(dlopen(nullptr, RTLD_LAZY)) <= 0) return 2;
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 4; ++caller) {
    callers.emplace_back([=, &wrong] {
      for (unsigned seed = 0; seed < 20; ++seed) {
        int workers = 1 + static_cast<int>(seed % 5), spins = seed % 2 ? 2000 : 0;
        Graph graph(seed * 4 + caller, workers, 60, true);
        for (int i = 0; i < runs / 40; ++i) {
          if (!graph.run(i % 2 ? 2000 : 0)) wrong.fetch_add(1);
        }
        int copies = 1 + static_cast<int>(seed % 4);
        for (ramiel::Regions regions : {ramiel::kCrew, ramiel::kAlone}) {
          wrong.fetch_add(wrong_on(regions, seed * 4 + caller, runs / 80));
        }
        wrong.fetch_add(wrong_messages(runs / 10, spins));
        wrong.fetch_add(wrong_in_pipeline(seed * 4 + caller, workers, copies, runs / 40, spins));
      }
    });
  }
  for (auto& caller : callers) caller.join();
  wrong.fetch_add(wrong_waits());
  std::printf("%d calls, %d wrong\n", 4 * runs, wrong.load());
  return wrong.load() ? 1 : 0;
}
