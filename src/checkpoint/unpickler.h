#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "byte_cursor.h"
#include "mobileone/checkpoint/pickle.h"
#include "pickle_format.h"
#include "pickle_globals.h"
#include "pickle_object.h"

namespace mobileone {

/// The pickle machine: a stack, marks in it, and a memo. Opcodes it does not know are refused.
class Unpickler {
 public:
  /// Begins where `bytes` stands; afterwards that is behind the pickle.
  Unpickler(ByteCursor& bytes, const LoadStorage& load_storage,
            PickleOrigin origin = PickleOrigin::kPython)
      : bytes_(bytes), load_storage_(load_storage), origin_(origin) {}

  /// What the pickle holds. Throws Error naming the byte, counted from the pickle's first.
  Value value();
  /// What the pickle of a TorchScript module holds (see module_tensors).
  Value::Tensors tensors();

 private:
  template <typename Finish>
  auto run(Finish finish);
  void execute(Op op);
  bool push_constant(Op op);
  bool build_container(Op op);
  bool use_memo(Op op);

  void push(Object::Content content);
  Object* top();
  Object* pop() { return pop_many(1).front(); }
  Objects pop_many(size_t count);
  Objects pop_to_mark();

  void get(uint32_t index);
  void append(const Objects& items);
  void set_items(const Objects& keys_and_items);
  void load_persistent();
  void reduce();
  void build();

  ByteCursor& bytes_;
  const LoadStorage& load_storage_;
  const PickleOrigin origin_;
  std::deque<Object> objects_;  // the owner of all others point to
  size_t weight_ = 0;           // of the objects
  Objects stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Object*> memo_;
};

}  // namespace mobileone
