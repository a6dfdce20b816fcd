#include "openmp.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "team.h"

namespace ramiel {
namespace {

// What this thread is: in a replay where there is a lender, and in a region where there is one.
struct Here {
  Lender* lender = nullptr;
  int width = 1;
  bool sets_width = false;  // what the thread sets as its number of threads is the width
  Region* region = nullptr;
  int index = 0;
  int nested = 0;  // regions inside of that one, which run on this thread alone
  Region own;  // the region that this thread enters
  int construct = 0;  // of the region, counted by this thread
  Share* share = nullptr;  // the one that this thread is in
  long ordered = 0;  // the first iteration that it has of that
  long start = 0, increment = 0;  // a loop with a static schedule
  long next = 0, last = 0, step = 0, chunk = 0;  // its iterations, the next of this thread
};

thread_local Here here;

int size_here() { return here.region && !here.nested ? here.region->size : 1; }

int index_here() { return here.region && !here.nested ? here.index : 0; }

bool answers() { return here.lender != nullptr || here.region != nullptr; }

void enter(void (*function)(void*), void* data, unsigned threads) {
  if (here.region) {
    ++here.nested;
    return;
  }
  Region& region = here.own;
  region.function = function;
  region.data = data;
  region.size = threads ? static_cast<int>(threads) : here.width;
  region.reset();
  here.region = &region;
  here.index = 0;
  here.construct = 0;
  if (region.size > 1) here.lender->lend(region);
}

void leave() {
  if (here.nested) {
    --here.nested;
    return;
  }
  Region& region = here.own;
  // What nobody has begun waits for nobody: this thread has been through the whole function.
  int done = region.size - 1;
  for (int index = 1; index < region.size; ++index) {
    if (!here.lender->take_back(region, index)) continue;
    here.index = index;
    here.construct = 0;
    region.function(region.data);
    --done;
  }
  Turns turns;
  while (region.done.load(std::memory_order_acquire) != done) turns.next();
  here.region = nullptr;
}

void barrier() {
  Region& region = *here.region;
  int passed = region.passed.load(std::memory_order_acquire);
  if (region.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == region.size) {
    region.arrived.store(0, std::memory_order_relaxed);
    region.passed.store(passed + 1, std::memory_order_release);
    return;
  }
  if (here.lender && here.index == 0) here.lender->wait_for_others(region);
  Turns turns;
  while (region.passed.load(std::memory_order_acquire) == passed) turns.next();
}

long iterations(long start, long end, long increment) {
  long count = increment > 0 ? (end - start + increment - 1) / increment
                             : (start - end - increment - 1) / -increment;
  return std::max(count, 0L);
}

// A loop with a static schedule: without a chunk one run of iterations for each thread, else chunks
// in turn.
bool next_static(long* first, long* end) {
  if (here.next >= here.last) return false;
  long stop = std::min(here.next + here.chunk, here.last);
  *first = here.start + here.next * here.increment;
  *end = here.start + stop * here.increment;
  here.next += here.step;
  return true;
}

bool begin_static(long start, long end, long increment, long chunk, long* first, long* stop) {
  long size = size_here(), index = index_here(), count = iterations(start, end, increment);
  here.start = start;
  here.increment = increment;
  if (chunk == 0) {
    long share = count / size, rest = count % size;
    here.next = index * share + std::min(index, rest);
    here.chunk = share + (index < rest);
    here.last = here.next + here.chunk;
    here.step = std::max(here.chunk, 1L);
  } else {
    here.next = index * chunk;
    here.chunk = chunk;
    here.last = count;
    here.step = size * chunk;
  }
  return next_static(first, stop);
}

// A thread that is in no region of ours, or in a nested one, has a share to itself.
thread_local Share alone;

Share& next_share(bool* created) {
  if (here.region && !here.nested) return here.region->share(here.construct++, created);
  *created = true;
  alone.next.store(0);
  alone.turn.store(0);
  return alone;
}

// A loop with a dynamic schedule: chunks as threads come for them.
bool next_dynamic(long* first, long* end) {
  Share& share = *here.share;
  long begin = share.next.fetch_add(share.chunk);
  // The iterations before have been handed out, and their ordered parts come first.
  here.ordered = begin;
  if (begin >= share.count) return false;
  *first = share.start + begin * share.increment;
  *end = share.start + std::min(begin + share.chunk, share.count) * share.increment;
  return true;
}

void set_up(Share& share, long start, long end, long increment, long chunk) {
  share.start = start;
  share.increment = increment;
  share.chunk = std::max(chunk, 1L);
  share.count = iterations(start, end, increment);
}

bool begin_dynamic(long start, long end, long increment, long chunk, long* first, long* stop) {
  bool created = false;
  here.share = &next_share(&created);
  // All threads of the region say the same of the loop, but only one may write it.
  if (size_here() == 1) {
    set_up(*here.share, start, end, increment, chunk);
  } else {
    static std::mutex mutex;
    std::lock_guard<std::mutex> guard(mutex);
    if (here.share->count == 0) set_up(*here.share, start, end, increment, chunk);
  }
  return next_dynamic(first, stop);
}

void pass_on() {  // the turn of an ordered loop, after a chunk
  Share& share = *here.share;
  long mine = here.ordered, done = std::min(mine + share.chunk, share.count);
  while (share.turn.load() < mine) sched_yield();
  if (share.turn.load() < done) share.turn.store(done);
}

void begin_ordered() {
  while (here.share->turn.load() < here.ordered) sched_yield();
}

bool begin_single() {
  bool created = false;
  next_share(&created);
  return created;
}

unsigned next_section() {
  long first, end;
  return next_dynamic(&first, &end) ? static_cast<unsigned>(first) : 0;
}

unsigned begin_sections(unsigned count) {
  long first, end;
  return begin_dynamic(1, long{count} + 1, 1, 1, &first, &end) ? static_cast<unsigned>(first) : 0;
}

// --- the entry points, and GNU's, which they lead on to --------------------------------------

using Function = void (*)(void*);

void (*gnu_parallel_start)(Function, void*, unsigned);
void (*gnu_parallel_end)();
void (*gnu_parallel)(Function, void*, unsigned, unsigned);
void (*gnu_barrier)();
bool (*gnu_loop_static_start)(long, long, long, long, long*, long*);
bool (*gnu_loop_static_next)(long*, long*);
bool (*gnu_loop_dynamic_start)(long, long, long, long, long*, long*);
bool (*gnu_loop_dynamic_next)(long*, long*);
bool (*gnu_loop_ordered_dynamic_start)(long, long, long, long, long*, long*);
bool (*gnu_loop_ordered_dynamic_next)(long*, long*);
void (*gnu_loop_end)();
void (*gnu_loop_end_nowait)();
void (*gnu_ordered_start)();
void (*gnu_ordered_end)();
bool (*gnu_single_start)();
unsigned (*gnu_sections_start)(unsigned);
unsigned (*gnu_sections_next)();
void (*gnu_sections_end)();
void (*gnu_sections_end_nowait)();
void (*gnu_set_num_threads)(int);
int (*gnu_get_max_threads)();
int (*gnu_get_num_threads)();
int (*gnu_get_thread_num)();
int (*gnu_in_parallel)();

void parallel_start(Function function, void* data, unsigned threads) {
  answers() ? enter(function, data, threads) : gnu_parallel_start(function, data, threads);
}

void parallel_end() { answers() ? leave() : gnu_parallel_end(); }

void parallel(Function function, void* data, unsigned threads, unsigned flags) {
  if (!answers()) return gnu_parallel(function, data, threads, flags);
  enter(function, data, threads);
  function(data);
  leave();
}

void at_barrier() {
  if (!answers()) return gnu_barrier();
  if (size_here() > 1) barrier();
}

bool loop_static_start(long start, long end, long increment, long chunk, long* first, long* stop) {
  return answers() ? begin_static(start, end, increment, chunk, first, stop)
                   : gnu_loop_static_start(start, end, increment, chunk, first, stop);
}

bool loop_static_next(long* first, long* stop) {
  return answers() ? next_static(first, stop) : gnu_loop_static_next(first, stop);
}

bool loop_dynamic_start(long start, long end, long increment, long chunk, long* first, long* stop) {
  return answers() ? begin_dynamic(start, end, increment, chunk, first, stop)
                   : gnu_loop_dynamic_start(start, end, increment, chunk, first, stop);
}

bool loop_dynamic_next(long* first, long* stop) {
  return answers() ? next_dynamic(first, stop) : gnu_loop_dynamic_next(first, stop);
}

bool loop_ordered_start(long start, long end, long increment, long chunk, long* first, long* stop) {
  return answers() ? begin_dynamic(start, end, increment, chunk, first, stop)
                   : gnu_loop_ordered_dynamic_start(start, end, increment, chunk, first, stop);
}

bool loop_ordered_next(long* first, long* stop) {
  if (!answers()) return gnu_loop_ordered_dynamic_next(first, stop);
  pass_on();
  return next_dynamic(first, stop);
}

void ordered_start() { answers() ? begin_ordered() : gnu_ordered_start(); }

void ordered_end() {
  if (!answers()) gnu_ordered_end();
}

void loop_end() {
  if (!answers()) return gnu_loop_end();
  at_barrier();
}

void loop_end_nowait() {
  if (!answers()) gnu_loop_end_nowait();
}

bool single_start() { return answers() ? begin_single() : gnu_single_start(); }

unsigned sections_start(unsigned count) {
  return answers() ? begin_sections(count) : gnu_sections_start(count);
}

unsigned sections_next() { return answers() ? next_section() : gnu_sections_next(); }

void sections_end() {
  if (!answers()) return gnu_sections_end();
  at_barrier();
}

void sections_end_nowait() {
  if (!answers()) gnu_sections_end_nowait();
}

void set_num_threads(int threads) {
  gnu_set_num_threads(threads);
  if (here.sets_width && threads > 0) here.width = threads;
}

int get_max_threads() { return answers() ? here.width : gnu_get_max_threads(); }

int get_num_threads() { return answers() ? size_here() : gnu_get_num_threads(); }

int get_thread_num() { return answers() ? index_here() : gnu_get_thread_num(); }

int in_parallel() {
  return answers() ? here.region && here.region->size > 1 : gnu_in_parallel();
}

struct Entry {
  const char* name;
  void* ours;
  void** gnu;
};

template <typename F>
Entry entry(const char* name, F* ours, F** gnu) {
  return {name, reinterpret_cast<void*>(ours), reinterpret_cast<void**>(gnu)};
}

const Entry kEntries[] = {
    entry("GOMP_parallel_start", parallel_start, &gnu_parallel_start),
    entry("GOMP_parallel_end", parallel_end, &gnu_parallel_end),
    entry("GOMP_parallel", parallel, &gnu_parallel),
    entry("GOMP_barrier", at_barrier, &gnu_barrier),
    entry("GOMP_loop_static_start", loop_static_start, &gnu_loop_static_start),
    entry("GOMP_loop_static_next", loop_static_next, &gnu_loop_static_next),
    entry("GOMP_loop_dynamic_start", loop_dynamic_start, &gnu_loop_dynamic_start),
    entry("GOMP_loop_dynamic_next", loop_dynamic_next, &gnu_loop_dynamic_next),
    entry("GOMP_loop_nonmonotonic_dynamic_start", loop_dynamic_start, &gnu_loop_dynamic_start),
    entry("GOMP_loop_nonmonotonic_dynamic_next", loop_dynamic_next, &gnu_loop_dynamic_next),
    entry("GOMP_loop_ordered_dynamic_start", loop_ordered_start, &gnu_loop_ordered_dynamic_start),
    entry("GOMP_loop_ordered_dynamic_next", loop_ordered_next, &gnu_loop_ordered_dynamic_next),
    entry("GOMP_loop_end", loop_end, &gnu_loop_end),
    entry("GOMP_loop_end_nowait", loop_end_nowait, &gnu_loop_end_nowait),
    entry("GOMP_ordered_start", ordered_start, &gnu_ordered_start),
    entry("GOMP_ordered_end", ordered_end, &gnu_ordered_end),
    entry("GOMP_single_start", single_start, &gnu_single_start),
    entry("GOMP_sections_start", sections_start, &gnu_sections_start),
    entry("GOMP_sections_next", sections_next, &gnu_sections_next),
    entry("GOMP_sections_end", sections_end, &gnu_sections_end),
    entry("GOMP_sections_end_nowait", sections_end_nowait, &gnu_sections_end_nowait),
    entry("omp_set_num_threads", set_num_threads, &gnu_set_num_threads),
    entry("omp_get_max_threads", get_max_threads, &gnu_get_max_threads),
    entry("omp_get_num_threads", get_num_threads, &gnu_get_num_threads),
    entry("omp_get_thread_num", get_thread_num, &gnu_get_thread_num),
    entry("omp_in_parallel", in_parallel, &gnu_in_parallel),
};

// What has nothing to do with regions: locks of the process, and settings of a thread.
const char* const kLeftToGnu[] = {
    "GOMP_critical_start", "GOMP_critical_end",   "GOMP_critical_name_start",
    "GOMP_critical_name_end", "GOMP_atomic_start", "GOMP_atomic_end",
    "omp_get_num_procs",
};

bool is_openmp(const char* name) {
  return std::strncmp(name, "GOMP_", 5) == 0 || std::strncmp(name, "omp_", 4) == 0;
}

void write_pointer(void** place, void* value) {
  uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t start = reinterpret_cast<uintptr_t>(place) & ~(page - 1);
  // The page may be read-only since the library was linked. It stays writable: who made it so is
  // not known.
  mprotect(reinterpret_cast<void*>(start), page, PROT_READ | PROT_WRITE);
  *place = value;
}

// The tables of a loaded library that say which functions it imports.
struct Imports {
  const char* strings = nullptr;
  const ElfW(Sym)* symbols = nullptr;
  struct Table {
    const ElfW(Rela)* first = nullptr;
    size_t bytes = 0;
  } calls, others;
};

Imports imports_of(const link_map& map) {
  Imports found;
  for (const ElfW(Dyn)* entry = map.l_ld; entry->d_tag != DT_NULL; ++entry) {
    auto at = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_STRTAB: found.strings = reinterpret_cast<const char*>(at); break;
      case DT_SYMTAB: found.symbols = reinterpret_cast<const ElfW(Sym)*>(at); break;
      case DT_JMPREL: found.calls.first = reinterpret_cast<const ElfW(Rela)*>(at); break;
      case DT_PLTRELSZ: found.calls.bytes = entry->d_un.d_val; break;
      case DT_RELA: found.others.first = reinterpret_cast<const ElfW(Rela)*>(at); break;
      case DT_RELASZ: found.others.bytes = entry->d_un.d_val; break;
      default: break;
    }
  }
  return found;
}

}  // namespace

Share& Region::share(int construct, bool* created) {
  std::lock_guard<std::mutex> guard(mutex_);
  auto [place, is_new] = shares_.try_emplace(construct);
  *created = is_new;
  return place->second;
}

void Region::reset() {
  done.store(0, std::memory_order_relaxed);
  arrived.store(0, std::memory_order_relaxed);
  passed.store(0, std::memory_order_relaxed);
  shares_.clear();
}

void help(Region& region, int index) {
  here.region = &region;
  here.index = index;
  here.construct = 0;
  region.function(region.data);
  here.region = nullptr;
  region.done.fetch_add(1, std::memory_order_release);
}

void set_crew(Lender* lender, int width) {
  here.lender = lender;
  here.width = width;
  here.sets_width = false;
}

void join_crew(Lender* lender) {
  set_crew(lender, gnu_get_max_threads ? gnu_get_max_threads() : 1);
  here.sets_width = lender != nullptr;
}

Crewed::Crewed() : lender_(here.lender), width_(here.width), sets_width_(here.sets_width) {}

Crewed::~Crewed() {
  here.lender = lender_;
  here.width = width_;
  here.sets_width = sets_width_;
}

void on_threads(int threads, void (*function)(void*, int, int), void* data) {
  struct Part {
    void (*function)(void*, int, int);
    void* data;
    int threads;
    std::atomic<int> next{0};
  } part{function, data, threads};
  if (!answers()) {  // GNU's runtime may have fewer threads
    auto take = [](void* given) {
      auto& part = *static_cast<Part*>(given);
      for (int i; (i = part.next.fetch_add(1)) < part.threads;) {
        part.function(part.data, i, part.threads);
      }
    };
    gnu_parallel ? gnu_parallel(take, &part, static_cast<unsigned>(threads), 0) : take(&part);
    return;
  }
  enter(
      [](void* given) {
        auto& part = *static_cast<Part*>(given);
        part.function(part.data, index_here(), size_here());
      },
      &part, static_cast<unsigned>(threads));
  part.function(data, index_here(), size_here());
  leave();
}

int answer_openmp_of(void* library) {
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return -1;
  Imports imports = imports_of(*map);
  if (!imports.strings || !imports.symbols) return -1;
  for (bool writes : {false, true}) {
    int count = 0;
    for (const Imports::Table& table : {imports.calls, imports.others}) {
      for (size_t i = 0; table.first && i < table.bytes / sizeof(ElfW(Rela)); ++i) {
        const ElfW(Rela)& place = table.first[i];
        const ElfW(Sym)& symbol = imports.symbols[ELF64_R_SYM(place.r_info)];
        if (ELF64_R_SYM(place.r_info) == 0 || symbol.st_shndx != SHN_UNDEF) continue;
        const char* name = imports.strings + symbol.st_name;
        if (!is_openmp(name)) continue;
        const Entry* known = std::find_if(std::begin(kEntries), std::end(kEntries),
                                          [&](const Entry& e) { return !std::strcmp(e.name, name); });
        if (known == std::end(kEntries)) {
          bool is_left = std::any_of(std::begin(kLeftToGnu), std::end(kLeftToGnu),
                                     [&](const char* left) { return !std::strcmp(left, name); });
          if (!is_left) return -1;
          continue;
        }
        ++count;
        if (!writes) continue;
        if (!*known->gnu) *known->gnu = dlsym(library, name);
        if (!*known->gnu) *known->gnu = dlsym(RTLD_DEFAULT, name);
        if (!*known->gnu) return -1;
        write_pointer(reinterpret_cast<void**>(map->l_addr + place.r_offset), known->ours);
      }
    }
    if (writes) return count;
  }
  return -1;
}

}  // namespace ramiel
