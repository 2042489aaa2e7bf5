// The machine's matmul rate: what a step's floating-point operations are measured against.
#pragma once

#include "core/tensor/context.h"
#include "core/tensor/dtype.h"

namespace frond {

// The highest sustained rate, in GFLOP/s, of large products of f32 or bf16 operands on the
// context's device (the CPU: on the calling thread's OpenMP threads). Takes some 0.4 s; leaves no
// trace in the profile.
double MeasureMatMulPeak(Context& ctx, DType dtype);

}  // namespace frond
