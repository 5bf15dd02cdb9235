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

CK_INLINE f32x16 magnitude(f32x16 value) { return (f32x16)((u32x16)value & 0x7FFFFFFF); }

/// Whether a comparison holds in any lane.
CK_INLINE int any(i32x16 mask) { return __builtin_reduce_or(mask) != 0; }

/// Whether a comparison holds in every lane.
CK_INLINE int all64(i64x16 mask) { return __builtin_reduce_and(mask) != 0; }

/// The largest of numbers that are not negative, which is the one with the largest bits.
CK_INLINE float largest_of(f32x16 values) { return float_of(__builtin_reduce_max((u32x16)values)); }

/// Lifts a maximum, which is the same in all lanes, to the largest of `values`, which are not negative.
///
/// Maxima of quotients are kept this way, without a division where the maximum cannot grow: a product is rounded
/// monotonically, so `numerator < maximum * denominator` proves that the quotient is not larger than the maximum.
CK_INLINE void raise(f32x16 *maximum, f32x16 values) {
  float largest = largest_of(values);
  if (largest > (*maximum)[0]) *maximum = (f32x16){} + largest;
}

/// sum + a·b, for a and b that were f32: their product is exact in double, so that rounding once here and rounding
/// product and sum elsewhere are the same.
CK_INLINE f64x16 add_product(f64x16 sum, f64x16 a, f64x16 b) { return __builtin_elementwise_fma(a, b, sum); }

CK_INLINE struct lanes lanes_of(f64x16 sums) {
  struct lanes lanes;
  __builtin_memcpy(&lanes, &sums, sizeof lanes);
  return lanes;
}
