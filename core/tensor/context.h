// What an op needs beside its operands: passed first, never global. One per rank.
#pragma once

#include <memory>
#include <typeindex>
#include <unordered_map>

#include "core/base/philox.h"
#include "core/tensor/allocator.h"
#include "core/tensor/profiler.h"

namespace frond {

// Base of what a backend keeps between calls (compiled primitives, scratch memory).
class BackendState {
 public:
  virtual ~BackendState() = default;
};

class Context {
 public:
  // `memory` and `profiler` outlive the context; `profiler` may be null.
  explicit Context(Allocator& memory, Profiler* profiler = nullptr);

  Device device() const { return memory_->device(); }
  // The device whose choices ops make: device(), or the one that a meta context rehearses.
  Device stands_for() const { return memory_->stands_for(); }
  Allocator& memory() { return *memory_; }
  Profiler* profiler() { return profiler_; }

  // Keys all randomness of the current step.
  RngKey rng;

  // The one instance of `State` that belongs to this context, made on first use.
  template <class State>
  State& Backend() {
    std::unique_ptr<BackendState>& slot = states_[std::type_index(typeid(State))];
    if (slot == nullptr) slot = std::make_unique<State>();
    return static_cast<State&>(*slot);
  }

 private:
  Allocator* memory_;
  Profiler* profiler_;
  std::unordered_map<std::type_index, std::unique_ptr<BackendState>> states_;
};

}  // namespace frond
