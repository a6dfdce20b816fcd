// PyTorch's operators, called through its dispatcher by its stable C interface, which is looked up
// in the loaded library: neither its headers nor the lock of Python's are needed.

#pragma once

#include <cstdint>

namespace ramiel {

// The structures are declared in ramiel/runtime/replay/dispatcher.py, too, which fills them.

// A tensor in memory that the plan knows. `handle` is PyTorch's, and is made for an address when an
// operator is called; a tensor without memory of its own is given with one.
struct Tensor {
  void* data;
  void* data_of_handle;
  void* handle;
  const int64_t* sizes;
  const int64_t* strides;
  int32_t dims;
  int32_t dtype;
};

// The value of an argument, as the type in the operator's schema has it.
struct Argument {
  enum Kind : int32_t {
    kNone,    // of an optional type
    kSome,    // of an optional type: one item
    kBits,    // a number, or a constant of PyTorch's
    kTensor,
    kString,  // `count` bytes
    kList,    // `count` items
  };
  int32_t kind;
  int32_t count;
  union {
    uint64_t bits;
    Tensor* tensor;
    const char* string;
    const Argument* items;
  };
};

// A call of an operator all of whose results are tensors. Results with a target are copied there;
// the others are in a tensor that was an argument, or nobody reads them.
struct Operation {
  const char* name;
  const char* overload;
  const Argument* arguments;
  Tensor* const* targets;
  uint64_t* stack;  // has room for the arguments and for the results
  int32_t argument_count;
  int32_t result_count;
};

// Finds the interface in PyTorch's library. Returns whether all of it is there.
bool attach_dispatcher(void* library);

// Returns 0, or another number if PyTorch has raised an error.
int call(const Operation& operation);

// Lets go of the handles that calls have made.
void release(const Operation& operation);

// A product of f32 matrices in rows: [rows, inner] by [inner, columns], which MKL has packed. It is
// added to what is there, times `adds`. ramiel/runtime/kernels/mkl.py declares it, too.
struct Product {
  int32_t rows;
  int32_t columns;
  int32_t inner;
  float adds;
  const void* packed;
};

// Needs a library with MKL, attached.
void multiply(const Product& product, const float* x, float* y);

// While it lives, operators that this thread calls compute no gradients.
class OperatorMode {
 public:
  OperatorMode();
  ~OperatorMode();
  OperatorMode(const OperatorMode&) = delete;
  OperatorMode& operator=(const OperatorMode&) = delete;

  // Tells a library of products, which does not ask OpenMP, on how many threads they run.
  void set_threads(int threads);

 private:
  bool has_gradients_ = false;
  int threads_ = -1;  // before, if they were set
};

}  // namespace ramiel
