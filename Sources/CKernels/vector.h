#pragma once
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

// Vectors of 16 numbers, whatever the width of a register.
typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef double f64x16 __attribute__((ext_vector_type(16)));
typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));
typedef int64_t i64x16 __attribute__((ext_vector_type(16)));
typedef int8_t i8x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x32 __attribute__((ext_vector_type(32)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef uint64_t u64x8 __attribute__((ext_vector_type(8)));

CK_INLINE f32x16 load_f32x16(const void *from, size_t i) {
  f32x16 value;
  __builtin_memcpy(&value, (const char *)from + 4 * i, 64);
  return value;
}

CK_INLINE void store_f32x16(void *to, size_t i, f32x16 value) {
  __builtin_memcpy((char *)to + 4 * i, &value, 64);
}

/// Whether a comparison holds in any lane.
CK_INLINE int any(i32x16 mask) { return __builtin_reduce_or(mask) != 0; }
