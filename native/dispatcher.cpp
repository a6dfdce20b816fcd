#include "dispatcher.h"

#include <dlfcn.h>

#include <cstddef>

namespace ramiel {
namespace {

// --- the interface, as torch/csrc/inductor/aoti_torch/c/shim.h and torch/csrc/stable/c/shim.h have
// it. Functions return 0 unless there was an exception. An argument is given away: who is called
// frees handles, lists, strings and values of optional types.

using Value = uint64_t;

int (*call_dispatcher)(const char* name, const char* overload, Value* stack);
int (*new_handle)(void* handle, void** copy);
int (*delete_handle)(void* handle);
int (*tensor_from_blob)(void* data, int64_t dims, const int64_t* sizes, const int64_t* strides,
                        int64_t offset, int32_t dtype, int32_t device_type, int32_t device_index,
                        void** handle);
int32_t (*device_type_cpu)();
int (*copy_tensor)(void* from, void* to);
int (*new_list)(size_t size, void** list);
int (*push_back)(void* list, Value value);
int (*new_string)(const char* bytes, size_t length, void** string);
bool (*grad_mode_is_enabled)();
void (*grad_mode_set_enabled)(bool enabled);
int (*get_num_threads)(uint32_t* threads);
// What only some versions and builds have.
int (*new_value)(Value** value);
int (*set_num_threads_of_mkl)(int threads);
void (*multiply_by_packed)(int layout, int left, int right, int rows, int columns, int inner,
                           const float* a, int step_of_a, const void* b, int step_of_b, float adds,
                           float* y, int step_of_y);

bool is_attached = false;

template <typename F>
bool find(void* library, const char* name, F** function) {
  *function = reinterpret_cast<F*>(dlsym(library, name));
  return *function != nullptr;
}

template <typename T>
Value value_of(T* pointer) {
  return reinterpret_cast<Value>(pointer);
}

bool update(Tensor& tensor) {
  if (tensor.handle && tensor.data == tensor.data_of_handle) return true;
  if (tensor.handle) delete_handle(tensor.handle);
  tensor.handle = nullptr;
  tensor.data_of_handle = tensor.data;
  return tensor_from_blob(tensor.data, tensor.dims, tensor.sizes, tensor.strides, 0, tensor.dtype,
                          device_type_cpu(), 0, &tensor.handle) == 0;
}

bool make(const Argument& argument, Value* value);

bool make_some(const Argument& item, Value* value) {
  Value inner, *some = nullptr;
  if (!make(item, &inner)) return false;
  if (!new_value) {
    some = new Value;
  } else if (new_value(&some)) {
    return false;
  }
  *some = inner;
  *value = value_of(some);
  return true;
}

bool make_list(const Argument& argument, Value* value) {
  void* list = nullptr;
  if (new_list(static_cast<size_t>(argument.count), &list)) return false;
  for (int i = 0; i < argument.count; ++i) {
    Value item;
    if (!make(argument.items[i], &item) || push_back(list, item)) return false;
  }
  *value = value_of(list);
  return true;
}

bool make(const Argument& argument, Value* value) {
  void* made = nullptr;
  switch (argument.kind) {
    case Argument::kNone:
      *value = 0;
      return true;
    case Argument::kSome:
      return make_some(argument.items[0], value);
    case Argument::kBits:
      *value = argument.bits;
      return true;
    case Argument::kTensor:
      if (!update(*argument.tensor) || new_handle(argument.tensor->handle, &made)) return false;
      break;
    case Argument::kString:
      if (new_string(argument.string, static_cast<size_t>(argument.count), &made)) return false;
      break;
    case Argument::kList:
      return make_list(argument, value);
    default:
      return false;
  }
  *value = value_of(made);
  return true;
}

void release(Tensor& tensor) {
  if (tensor.handle) delete_handle(tensor.handle);
  tensor.handle = nullptr;
}

void release(const Argument& argument) {
  if (argument.kind == Argument::kTensor) release(*argument.tensor);
  if (argument.kind != Argument::kSome && argument.kind != Argument::kList) return;
  for (int i = 0; i < argument.count; ++i) release(argument.items[i]);
}

}  // namespace

bool attach_dispatcher(void* library) {
  find(library, "torch_new_stable_ivalue", &new_value);
  find(library, "MKL_Set_Num_Threads_Local", &set_num_threads_of_mkl);
  find(library, "cblas_sgemm_compute", &multiply_by_packed);
  is_attached = find(library, "aoti_torch_call_dispatcher", &call_dispatcher) &&
                find(library, "aoti_torch_new_tensor_handle", &new_handle) &&
                find(library, "aoti_torch_delete_tensor_object", &delete_handle) &&
                find(library, "aoti_torch_create_tensor_from_blob", &tensor_from_blob) &&
                find(library, "aoti_torch_device_type_cpu", &device_type_cpu) &&
                find(library, "aoti_torch_tensor_copy_", &copy_tensor) &&
                find(library, "torch_new_list_reserve_size", &new_list) &&
                find(library, "torch_list_push_back", &push_back) &&
                find(library, "torch_new_string_handle", &new_string) &&
                find(library, "aoti_torch_grad_mode_is_enabled", &grad_mode_is_enabled) &&
                find(library, "aoti_torch_grad_mode_set_enabled", &grad_mode_set_enabled) &&
                find(library, "torch_get_num_threads", &get_num_threads);
  return is_attached;
}

int call(const Operation& operation) {
  constexpr int kFailed = 1;
  Value* stack = operation.stack;
  for (int i = 0; i < operation.argument_count; ++i) {
    if (!make(operation.arguments[i], &stack[i])) return kFailed;
  }
  if (call_dispatcher(operation.name, operation.overload, stack)) return kFailed;
  int status = 0;
  for (int i = 0; i < operation.result_count; ++i) {
    void* result = reinterpret_cast<void*>(stack[i]);
    Tensor* target = operation.targets[i];
    if (target && (!update(*target) || copy_tensor(result, target->handle))) status = kFailed;
    delete_handle(result);
  }
  return status;
}

void release(const Operation& operation) {
  for (int i = 0; i < operation.argument_count; ++i) release(operation.arguments[i]);
  for (int i = 0; i < operation.result_count; ++i) {
    if (operation.targets[i]) release(*operation.targets[i]);
  }
}

void multiply(const Product& product, const float* x, float* y) {
  constexpr int kRowMajor = 101, kAsItIs = 111, kPacked = 151;  // of cblas.h
  multiply_by_packed(kRowMajor, kAsItIs, kPacked, product.rows, product.columns, product.inner, x,
                     product.inner, product.packed, product.inner, product.adds, y,
                     product.columns);
}

OperatorMode::OperatorMode() {
  if (!is_attached) return;
  has_gradients_ = grad_mode_is_enabled();
  if (has_gradients_) grad_mode_set_enabled(false);
}

OperatorMode::~OperatorMode() {
  if (has_gradients_) grad_mode_set_enabled(true);
  if (threads_ >= 0) set_num_threads_of_mkl(threads_);
}

void OperatorMode::set_threads(int threads) {
  if (!is_attached || !set_num_threads_of_mkl) return;
  // PyTorch sets it, too, when a thread asks for the first time.
  uint32_t known;
  if (threads_ < 0) get_num_threads(&known);
  int before = set_num_threads_of_mkl(threads);
  if (threads_ < 0) threads_ = before;
}

}  // namespace ramiel
