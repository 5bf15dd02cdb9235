// The passes for processors with AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
// Vectors wider than the registers are passed to functions that are always inlined only, which no ABI concerns.
#pragma clang diagnostic ignored "-Wpsabi"
#include "vector_resize.h"

const struct ci_passes ci_avx512 = {vector_rows, vector_columns};
#pragma clang attribute pop
#endif
