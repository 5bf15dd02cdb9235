#pragma once
#include "products.h"
#include "vector.h"

#pragma STDC FP_CONTRACT OFF

// Functions of 16 numbers.

/// a·b + c, rounded once.
CK_INLINE f32x16 fma_f32x16(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

/// The polynomial with these terms, the one of the highest degree first.
CK_INLINE f32x16 polynomial(f32x16 x, const float *terms, const int count) {
  f32x16 sum = (f32x16)terms[0];
#pragma clang loop unroll(full)
  for (int i = 1; i < count; i++) sum = fma_f32x16(sum, x, (f32x16)terms[i]);
  return sum;
}

/// 2^n for -126 ≤ n ≤ 127.
CK_INLINE f32x16 power_of_2(i32x16 n) { return (f32x16)((n + 127) << 23); }

CK_INLINE f32x16 exp_f32x16(f32x16 x) {
  x = x > CK_EXP_HIGHEST ? (f32x16)CK_EXP_HIGHEST : x;
  x = x < CK_EXP_LOWEST ? (f32x16)CK_EXP_LOWEST : x;
  f32x16 shifted = fma_f32x16(x, (f32x16)CK_LOG2_E, (f32x16)CK_ROUNDING);
  f32x16 whole = shifted - CK_ROUNDING;
  f32x16 rest = fma_f32x16(whole, (f32x16)(-CK_LN2_HIGH), x);
  rest = fma_f32x16(whole, (f32x16)(-CK_LN2_LOW), rest);
  f32x16 power = fma_f32x16(rest * rest, polynomial(rest, ck_exp_terms, 5), rest) + 1;
  // Two factors, so that subnormal results and infinity come out.
  i32x16 n = (i32x16)shifted - (i32x16)((f32x16)CK_ROUNDING), half = n >> 1;
  return power * power_of_2(half) * power_of_2(n - half);
}

CK_INLINE f32x16 activate(f32x16 y, const enum ck_activation activation) {
  switch (activation) {
    case CK_QUICK_GELU: return y / (exp_f32x16(y * -CK_QUICK_GELU_FACTOR) + 1);
    case CK_GELU: {
      f32x16 size = magnitude(y);
      f32x16 twice = exp_f32x16(polynomial(size, ck_gelu_terms, 10) * size);
      return y * (y < 0 ? twice * 0.5f : 1 - twice * 0.5f);
    }
    case CK_GELU_TANH: {
      f32x16 inner = fma_f32x16(y * y * CK_GELU_TANH_CUBIC, y, y);
      return y / (exp_f32x16(inner * -CK_GELU_TANH_FACTOR) + 1);
    }
    default: return y;
  }
}

/// The sum of all lanes, added 8 apart, then 4, 2 and 1.
CK_INLINE float total(f32x16 x) {
  typedef float f32x8 __attribute__((ext_vector_type(8)));
  typedef float f32x4 __attribute__((ext_vector_type(4)));
  f32x8 eight = x.lo + x.hi;
  f32x4 four = eight.lo + eight.hi;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

/// The first `count` lanes, 1 to 16, from memory; the others are zero.
CK_INLINE f32x16 load_first(const float *from, size_t count) {
  f32x16 value = {};
  __builtin_memcpy(&value, from, 4 * count);
  return value;
}

CK_INLINE void store_first(float *to, size_t count, f32x16 value) { __builtin_memcpy(to, &value, 4 * count); }

/// Whether a lane is one of the first `count`.
CK_INLINE i32x16 is_before(size_t count) {
  return (i32x16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < (i32x16)(int)count;
}
