// A master weight of any format as short runs of plain numbers: what the optimizers' kernels see.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/ops/cpu/master_run.h"
#include "core/ops/cpu/row_convert.h"
#include "core/ops/master.h"

namespace frond::cpu {

// The longest run: 16 KiB of f32 stay in the first-level cache beside what they meet there.
inline constexpr int64_t kMasterRun = 4096;

template <class T>
class MasterAccess {
 public:
  // `rounding_key` and `numbers` are for bf16 alone, see CastStochastic.
  MasterAccess(const MasterView& master, uint64_t rounding_key, const ElementNumbers& numbers)
      : key_(rounding_key), numbers_(numbers) {
    if (master.value.dtype == DTypeOf<T>::kValue) {
      whole_ = master.value.As<T>();
    } else {
      half_ = master.value.As<BFloat16>();
      if (master.is_split()) low_ = master.low.As<int16_t>();
    }
  }

  // Elements [first, first + n): the master's own memory, or `buffer`, filled with them.
  T* Load(int64_t first, int64_t n, T* buffer) const {
    if (whole_ != nullptr) return whole_ + first;
    if constexpr (std::is_same_v<T, float>) {
      if (low_ != nullptr) {
        JoinRun(half_ + first, low_ + first, n, buffer);
      } else {
        ConvertRun(half_ + first, buffer, n);
      }
    }
    return buffer;
  }

  // Takes what Load has given and the caller has changed.
  void Store(const T* run, int64_t first, int64_t n) const {
    if (whole_ != nullptr) return;
    if constexpr (std::is_same_v<T, float>) {
      if (low_ != nullptr) {
        SplitRun(run, n, half_ + first, low_ + first);
      } else {
        StochasticPart(run, key_, numbers_, first, n, half_ + first);
      }
    }
  }

 private:
  T* whole_ = nullptr;
  BFloat16* half_ = nullptr;
  int16_t* low_ = nullptr;
  uint64_t key_;
  ElementNumbers numbers_;
};

}  // namespace frond::cpu
