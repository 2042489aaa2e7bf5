// FROND_VECTOR_CLONES before a kernel function: it is compiled for several generations of vector
// units and the machine's best is chosen when the program is loaded.
//
// Such a function is a leaf: a plain, non-inline loop over a range, called from inside the parallel
// region (the compiler does not clone the body of an OpenMP region) and not a template. What it
// calls must be inlined into it. Sanitizers cannot run before main, where the choice is made, so
// they get the plain function.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FROND_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FROND_VECTOR_CLONES
#endif
