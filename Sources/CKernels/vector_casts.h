#pragma once
// Casts in vectors of 16 elements. Included by one file for each instruction set, which has chosen the target: the
// compiler splits the vectors into registers.
#include "vector.h"

/// The largest errors so far: `relative` is the same in all lanes.
struct worst {
  f32x16 absolute, relative;
};

/// Counts the elements of a vector that fail in some way, and returns the errors of the others.
CK_INLINE f32x16 tally_vector(f32x16 in, f32x16 out, size_t i, struct worst *worst, struct ck_tally *tally) {
  for (size_t j = 0; j < 16; j++) {
    int is_finite = __builtin_fabsf(in[j]) < __builtin_inff();
    if (!is_finite && tally->nonfinite++ == 0) tally->first_nonfinite = i + j;
    tally->overflow += is_finite && !(__builtin_fabsf(out[j]) < __builtin_inff());
    tally->underflow += in[j] != 0 && out[j] == 0;
  }
  f32x16 error = magnitude(out - in), size = magnitude(in);
  i32x16 is_finite = (error < __builtin_inff()) & (size < __builtin_inff());
  error = (f32x16)((i32x16)error & is_finite);
  raise(&worst->relative, (f32x16)((i32x16)(error / size) & (size > 0)));
  return error;
}

/// Tallies a vector, and divides only where the largest relative error may grow.
CK_INLINE void measure(f32x16 in, f32x16 out, size_t i, struct worst *worst, struct ck_tally *tally) {
  f32x16 error = magnitude(out - in);
  i32x16 notable = ~(error < worst->relative * magnitude(in)) & (error != 0);
  if (__builtin_expect(any(notable), 0)) error = tally_vector(in, out, i, worst, tally);
  worst->absolute = error > worst->absolute ? error : worst->absolute;
}

CK_INLINE void report(struct worst worst, struct ck_tally *tally) {
  tally->max_absolute = largest_of(worst.absolute);
  tally->max_relative = worst.relative[0];
}

static void f32_to_f16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  struct worst worst = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 value = load_f32x16(in, i);
    f16x16 half = __builtin_convertvector(value, f16x16);
    __builtin_memcpy((char *)out + 2 * i, &half, 32);
    measure(value, __builtin_convertvector(half, f32x16), i, &worst, tally);
  }
  report(worst, tally);
  ck_f32_to_f16_rest(in, out, i, n, tally);
}

static void f32_to_bf16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  struct worst worst = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 value = load_f32x16(in, i);
    u32x16 bits = (u32x16)value;
    u32x16 rounded = bits + 0x7FFF + (bits >> 16 & 1);
    rounded = value != value ? bits | 0x400000 : rounded;
    u16x16 half = __builtin_convertvector(rounded >> 16, u16x16);
    __builtin_memcpy((char *)out + 2 * i, &half, 32);
    measure(value, (f32x16)(rounded & 0xFFFF0000), i, &worst, tally);
  }
  report(worst, tally);
  ck_f32_to_bf16_rest(in, out, i, n, tally);
}

static void f16_to_f32(const void *in, void *out, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f16x16 half;
    __builtin_memcpy(&half, (const char *)in + 2 * i, 32);
    store_f32x16(out, i, __builtin_convertvector(half, f32x16));
  }
  ck_f16_to_f32_rest(in, out, i, n);
}

static void bf16_to_f32(const void *in, void *out, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    u16x16 half;
    __builtin_memcpy(&half, (const char *)in + 2 * i, 32);
    store_f32x16(out, i, (f32x16)(__builtin_convertvector(half, u32x16) << 16));
  }
  ck_bf16_to_f32_rest(in, out, i, n);
}

/// Whether any of 64 bytes holds an element with all exponent bits set, for elements of 2, 4 or 8 bytes.
CK_INLINE int has_nonfinite(const char *in, size_t size, uint64_t exponent) {
  if (size == 2) {
    u16x32 value;
    __builtin_memcpy(&value, in, 64);
    return __builtin_reduce_or((value & (uint16_t)exponent) == (uint16_t)exponent) != 0;
  }
  if (size == 4) {
    u32x16 value;
    __builtin_memcpy(&value, in, 64);
    return __builtin_reduce_or((value & (uint32_t)exponent) == (uint32_t)exponent) != 0;
  }
  u64x8 value;
  __builtin_memcpy(&value, in, 64);
  return __builtin_reduce_or((value & exponent) == exponent) != 0;
}

CK_INLINE void scan_any(const void *in, size_t size, uint64_t exponent, size_t n, struct ck_scan *scan) {
  *scan = (struct ck_scan){0};
  size_t step = 256 / size, i = 0;
  for (; i + step <= n; i += step) {
    const char *from = (const char *)in + size * i;
    int found = 0;
    for (int part = 0; part < 4; part++) found |= has_nonfinite(from + 64 * part, size, exponent);
    if (__builtin_expect(found, 0)) ck_scan_rest(in, size, exponent, i, i + step, scan);
  }
  ck_scan_rest(in, size, exponent, i, n, scan);
}

static void scan_f16(const void *in, size_t n, struct ck_scan *scan) { scan_any(in, 2, CK_F16_EXPONENT, n, scan); }
static void scan_bf16(const void *in, size_t n, struct ck_scan *scan) { scan_any(in, 2, CK_BF16_EXPONENT, n, scan); }
static void scan_f32(const void *in, size_t n, struct ck_scan *scan) { scan_any(in, 4, CK_F32_EXPONENT, n, scan); }
static void scan_f64(const void *in, size_t n, struct ck_scan *scan) { scan_any(in, 8, CK_F64_EXPONENT, n, scan); }
