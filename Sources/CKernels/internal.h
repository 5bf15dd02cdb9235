#pragma once
#include "ckernels.h"

// What the kernels of all levels share: the scalar conversions of one element, and the scalar loops that vector
// kernels use for the elements after their last whole vector.

#pragma STDC FP_CONTRACT OFF
#pragma clang assume_nonnull begin
#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE uint16_t load16(const void *from, size_t i) {
  uint16_t value;
  __builtin_memcpy(&value, (const char *)from + 2 * i, 2);
  return value;
}

CK_INLINE float load32(const void *from, size_t i) {
  float value;
  __builtin_memcpy(&value, (const char *)from + 4 * i, 4);
  return value;
}

CK_INLINE double load64(const void *from, size_t i) {
  double value;
  __builtin_memcpy(&value, (const char *)from + 8 * i, 8);
  return value;
}

CK_INLINE void store16(void *to, size_t i, uint16_t value) { __builtin_memcpy((char *)to + 2 * i, &value, 2); }
CK_INLINE void store32(void *to, size_t i, float value) { __builtin_memcpy((char *)to + 4 * i, &value, 4); }
CK_INLINE void store64(void *to, size_t i, double value) { __builtin_memcpy((char *)to + 8 * i, &value, 8); }

CK_INLINE uint32_t bits_of(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

CK_INLINE float float_of(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

CK_INLINE uint16_t f16_of(float value) {
  uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x1FF));
  if (magnitude >= 0x47800000) return (uint16_t)(sign | 0x7C00);  // 65536 and above
  if (magnitude >= 0x38800000) {                                  // 2^-14 and above: a normal f16, or rounded to infinity
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
  }
  // From 0.5 on, f32 has the spacing of subnormal f16: the addition rounds.
  return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3F000000));
}

CK_INLINE float f32_of_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7FFF;
  if (magnitude < 0x400) return float_of(bits_of((float)magnitude * 0x1p-24f) | sign);
  if (magnitude < 0x7C00) return float_of(sign | ((magnitude << 13) + 0x38000000));
  return float_of(sign | 0x7F800000 | magnitude << 13 | (magnitude > 0x7C00 ? 0x400000 : 0));
}

CK_INLINE uint16_t bf16_of(float value) {
  uint32_t bits = bits_of(value);
  if (value != value) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

CK_INLINE float f32_of_bf16(uint16_t half) { return float_of((uint32_t)half << 16); }

// All exponent bits set: NaN or infinite.
#define CK_F16_EXPONENT 0x7C00
#define CK_BF16_EXPONENT 0x7F80
#define CK_F32_EXPONENT 0x7F800000
#define CK_F64_EXPONENT 0x7FF0000000000000

/// Partial sums: element i of a run is added to lane i % 16, whatever the width of a vector.
struct lanes {
  double lane[16];
};

CK_INLINE double lanes_total(struct lanes lanes) {
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes.lane[i] += lanes.lane[i + width];
  return lanes.lane[0];
}

/// A comparison under way; the sums in `result` are set at the end.
struct comparing {
  struct ck_comparison result;
  struct lanes ab, aa, bb, dd;
};

/// Statistics under way; the sums in `result` are set at the end.
struct describing {
  struct ck_statistics result;
  struct lanes sum, deviations;
  double mean;
};
#define CK_DESCRIBING {.result = {.min = __builtin_inf(), .max = -__builtin_inf()}}

// Elements [i, n) of a run: they add to what the tally, scan or result holds already.
typedef void ck_widen_rest(const void *in, void *out, size_t i, size_t n);
typedef void ck_narrow_rest(const void *in, void *out, size_t i, size_t n,
                            struct ck_tally *tally);

ck_widen_rest ck_f16_to_f32_rest, ck_bf16_to_f32_rest;
ck_narrow_rest ck_f32_to_f16_rest, ck_f32_to_bf16_rest;
void ck_scan_rest(const void *in, size_t size, uint64_t exponent, size_t i, size_t n,
                  struct ck_scan *scan);

void ck_compare_f32_rest(const void *a, const void *b, size_t i, size_t n, struct comparing *state);
void ck_compare_finish(struct comparing *state, struct ck_comparison *comparison);
void ck_describe_f32_rest(const void *in, size_t i, size_t n, struct describing *state);
/// The mean of the finite ones of n elements, once all of them are summed.
double ck_describe_mean(const struct describing *state, size_t n);
void ck_deviate_f32_rest(const void *in, size_t i, size_t n, struct describing *state);
void ck_describe_finish(struct describing *state, struct ck_statistics *statistics);
/// One block, from elements [first, first + 32) of `in` to the 34 bytes at `out`.
void ck_quantize_q8_0(const void *in, char *out, size_t first, struct ck_tally *tally, struct lanes *signal,
                      struct lanes *noise);

// The scalar reference, and the only version of what is rare.
ck_widen ck_f16_to_f32, ck_bf16_to_f32, ck_f32_to_f64;
ck_widen ck_q8_0_to_f32, ck_q4_0_to_f32, ck_q4_1_to_f32, ck_q5_0_to_f32, ck_q5_1_to_f32;
ck_narrow ck_f32_to_f16, ck_f32_to_bf16, ck_f32_to_q8_0, ck_f64_to_f32, ck_f64_to_f16, ck_f64_to_bf16;
ck_scanner ck_scan_f16, ck_scan_bf16, ck_scan_f32, ck_scan_f64;
ck_compare ck_compare_f32, ck_compare_f64;
ck_describe ck_describe_f32, ck_describe_f64;

extern const struct ck_kernel_table ck_scalar, ck_avx2, ck_avx512, ck_neon;

#pragma clang assume_nonnull end
