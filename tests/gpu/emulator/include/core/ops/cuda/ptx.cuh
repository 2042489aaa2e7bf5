// Emulator: core/ops/cuda/ptx.cuh on the CPU. Asynchronous copies happen as late as they may: when
// they are waited for, so that a missing wait shows.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

namespace frond::cuda {

template <class T>
T* DynamicShared() {
  const auto address = reinterpret_cast<uintptr_t>(emulator::DynamicSharedMemory());
  return reinterpret_cast<T*>((address + 15) / 16 * 16);
}

inline void CopyAsync16(void* shared, const void* global, bool valid = true) {
  emulator::QueueCopy(shared, valid ? global : nullptr);
}
template <class T>
void CopyAsyncOne(T* shared, const T* global, bool valid = true) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  emulator::QueueCopy(shared, valid ? global : nullptr, sizeof(T));
}
inline void CommitCopies() { emulator::CommitCopies(); }
template <int kPending>
void WaitForCopies() {
  emulator::WaitForCopies(kPending);
}

inline float FastExp2(float x) { return std::exp2(x); }

inline void LoadMatricesAs(const void* row, bool transposed, uint32_t (&registers)[4]) {
  const int lane = emulator::Lane();
  const auto read = [&](const auto& rows) {
    for (int i = 0; i < 4; ++i) {
      uint16_t pair[2];
      for (int j = 0; j < 2; ++j) {
        const int a = lane / 4, b = 2 * (lane % 4) + j;
        pair[j] = rows(8 * i + (transposed ? b : a))[transposed ? a : b];
      }
      std::memcpy(&registers[i], pair, 4);
    }
  };
  emulator::ExchangeAll(0xFFFFFFFFu, static_cast<const uint16_t*>(row), read);
}
inline void LoadMatrices(const void* row, uint32_t (&registers)[4]) {
  LoadMatricesAs(row, false, registers);
}
inline void LoadMatricesTransposed(const void* row, uint32_t (&registers)[4]) {
  LoadMatricesAs(row, true, registers);
}

inline float HalfOf(uint32_t pair, int which) {
  return __uint_as_float(which == 0 ? pair << 16 : pair & 0xFFFF0000u);
}

struct MultiplyOperands {
  uint32_t a[4], b[2];
};

inline void MultiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const int lane = emulator::Lane(), g = lane / 4, p = lane % 4;
  float rows[2][16], columns[2][16];  // g and g + 8; 2p and 2p + 1
  const auto read = [&](const auto& lanes) {
    for (int k = 0; k < 16; ++k) {
      const int q = k % 8 / 2, half = k / 8;  // the lane of a quad that holds k, and where
      const MultiplyOperands left = lanes(4 * g + q);
      for (int i = 0; i < 2; ++i) {
        rows[i][k] = HalfOf(left.a[2 * half + i], k % 2);
        columns[i][k] = HalfOf(lanes(4 * (2 * p + i) + q).b[half], k % 2);
      }
    }
  };
  const MultiplyOperands own = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  emulator::ExchangeAll(0xFFFFFFFFu, own, read);
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 16; ++k) d[i] += rows[i / 2][k] * columns[i % 2][k];
  }
}

}  // namespace frond::cuda
