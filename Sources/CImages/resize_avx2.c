// The passes for processors with AVX2.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
// Vectors wider than the registers are passed to functions that are always inlined only, which no ABI concerns.
#pragma clang diagnostic ignored "-Wpsabi"
#include "vector_resize.h"

const struct ci_passes ci_avx2 = {vector_rows, vector_columns};
#pragma clang attribute pop
#endif
