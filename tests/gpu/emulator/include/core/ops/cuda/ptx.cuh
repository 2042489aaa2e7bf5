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
inline void CommitCopies() { emulator::CommitCopies(); }
template <int kPending>
void WaitForCopies() {
  emulator::WaitForCopies(kPending);
}

inline void LoadMatricesAs(const void* row, bool transposed, uint32_t (&registers)[4]) {
  const int lane = emulator::Lane();
  for (int i = 0; i < 4; ++i) {
    uint16_t pair[2];
    for (int j = 0; j < 2; ++j) {
      const int a = lane / 4, b = 2 * (lane % 4) + j;
      const int source_row = transposed ? b : a, column = transposed ? a : b;
      const auto* elements =
          emulator::Exchange(0xFFFFFFFFu, static_cast<const uint16_t*>(row), 8 * i + source_row);
      pair[j] = elements[column];
    }
    std::memcpy(&registers[i], pair, 4);
  }
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

inline void MultiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Operands {
    uint32_t a[4];
  } own;
  std::memcpy(own.a, a, sizeof(own.a));
  struct Right {
    uint32_t b[2];
  } right = {{b0, b1}};
  float rows[2][16], columns[2][16];
  const int lane = emulator::Lane(), g = lane / 4, p = lane % 4;
  for (int q = 0; q < 4; ++q) {  // the four lanes that hold the rows g and g + 8
    const Operands other = emulator::Exchange(0xFFFFFFFFu, own, 4 * g + q);
    for (int half = 0; half < 2; ++half) {
      for (int j = 0; j < 2; ++j) {
        rows[0][8 * half + 2 * q + j] = HalfOf(other.a[2 * half], j);
        rows[1][8 * half + 2 * q + j] = HalfOf(other.a[2 * half + 1], j);
      }
    }
    for (int c = 0; c < 2; ++c) {  // columns 2p and 2p + 1
      const Right b = emulator::Exchange(0xFFFFFFFFu, right, 4 * (2 * p + c) + q);
      for (int half = 0; half < 2; ++half) {
        for (int j = 0; j < 2; ++j) columns[c][8 * half + 2 * q + j] = HalfOf(b.b[half], j);
      }
    }
  }
  for (int r = 0; r < 2; ++r) {
    for (int c = 0; c < 2; ++c) {
      float sum = d[2 * r + c];
      for (int k = 0; k < 16; ++k) sum += rows[r][k] * columns[c][k];
      d[2 * r + c] = sum;
    }
  }
}

}  // namespace frond::cuda
