// Casts between plain types, one element at a time: the reference for every other level.
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

static void tally_f32(struct ck_tally *tally, float in, float out, size_t i) {
  float magnitude = __builtin_fabsf(in), infinity = __builtin_inff();
  if (!(magnitude < infinity)) {
    if (tally->nonfinite++ == 0) tally->first_nonfinite = i;
  } else if (!(__builtin_fabsf(out) < infinity)) {
    tally->overflow++;
  } else if (in != 0) {
    float error = __builtin_fabsf(out - in), relative = error / magnitude;
    tally->underflow += out == 0;
    if (error > tally->max_absolute) tally->max_absolute = error;
    if (relative > tally->max_relative) tally->max_relative = relative;
  }
}

static void tally_f64(struct ck_tally *tally, double in, double out, size_t i) {
  double magnitude = __builtin_fabs(in), infinity = __builtin_inf();
  if (!(magnitude < infinity)) {
    if (tally->nonfinite++ == 0) tally->first_nonfinite = i;
  } else if (!(__builtin_fabs(out) < infinity)) {
    tally->overflow++;
  } else if (in != 0) {
    double error = __builtin_fabs(out - in), relative = error / magnitude;
    tally->underflow += out == 0;
    if (error > tally->max_absolute) tally->max_absolute = error;
    if (relative > tally->max_relative) tally->max_relative = relative;
  }
}

void ck_f32_to_f16_rest(const void *in, void *out, size_t i, size_t n, struct ck_tally *tally) {
  for (; i < n; i++) {
    float value = load32(in, i);
    uint16_t half = f16_of(value);
    store16(out, i, half);
    tally_f32(tally, value, f32_of_f16(half), i);
  }
}

void ck_f32_to_f16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  ck_f32_to_f16_rest(in, out, 0, n, tally);
}

void ck_f32_to_bf16_rest(const void *in, void *out, size_t i, size_t n, struct ck_tally *tally) {
  for (; i < n; i++) {
    float value = load32(in, i);
    uint16_t half = bf16_of(value);
    store16(out, i, half);
    tally_f32(tally, value, f32_of_bf16(half), i);
  }
}

void ck_f32_to_bf16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  ck_f32_to_bf16_rest(in, out, 0, n, tally);
}

void ck_f64_to_f32(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  for (size_t i = 0; i < n; i++) {
    double value = load64(in, i);
    float single = (float)value;
    store32(out, i, single);
    tally_f64(tally, value, single, i);
  }
}

/// `value` cut to f32, its last bit set when that lost anything ("rounded to odd"): rounding the result to a narrower
/// type then gives what rounding `value` gives, where rounding it twice to nearest would not.
static float cut(double value) {
  float nearest = (float)value;
  if (nearest == value || value != value || __builtin_isinf(value)) return nearest;
  uint32_t bits = bits_of(nearest);
  if (__builtin_fabs((double)nearest) > __builtin_fabs(value)) bits--;
  return float_of(bits | 1);
}

void ck_f64_to_f16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  for (size_t i = 0; i < n; i++) {
    double value = load64(in, i);
    uint16_t half = f16_of(cut(value));
    store16(out, i, half);
    tally_f64(tally, value, f32_of_f16(half), i);
  }
}

void ck_f64_to_bf16(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  for (size_t i = 0; i < n; i++) {
    double value = load64(in, i);
    uint16_t half = bf16_of(cut(value));
    store16(out, i, half);
    tally_f64(tally, value, f32_of_bf16(half), i);
  }
}

void ck_f16_to_f32_rest(const void *in, void *out, size_t i, size_t n) {
  for (; i < n; i++) store32(out, i, f32_of_f16(load16(in, i)));
}

void ck_f16_to_f32(const void *in, void *out, size_t n) { ck_f16_to_f32_rest(in, out, 0, n); }

void ck_bf16_to_f32_rest(const void *in, void *out, size_t i, size_t n) {
  for (; i < n; i++) {
    uint32_t bits = (uint32_t)load16(in, i) << 16;
    __builtin_memcpy((char *)out + 4 * i, &bits, 4);
  }
}

void ck_bf16_to_f32(const void *in, void *out, size_t n) { ck_bf16_to_f32_rest(in, out, 0, n); }

void ck_f32_to_f64(const void *in, void *out, size_t n) {
  for (size_t i = 0; i < n; i++) store64(out, i, load32(in, i));
}

void ck_scan_rest(const void *in, size_t size, uint64_t exponent, size_t i, size_t n, struct ck_scan *scan) {
  for (; i < n; i++) {
    uint64_t bits = 0;
    __builtin_memcpy(&bits, (const char *)in + size * i, size);
    if ((bits & exponent) == exponent && scan->nonfinite++ == 0) scan->first_nonfinite = i;
  }
}

static void scan(const void *in, size_t size, uint64_t exponent, size_t n, struct ck_scan *scan) {
  *scan = (struct ck_scan){0};
  ck_scan_rest(in, size, exponent, 0, n, scan);
}

void ck_scan_f16(const void *in, size_t n, struct ck_scan *out) { scan(in, 2, CK_F16_EXPONENT, n, out); }
void ck_scan_bf16(const void *in, size_t n, struct ck_scan *out) { scan(in, 2, CK_BF16_EXPONENT, n, out); }
void ck_scan_f32(const void *in, size_t n, struct ck_scan *out) { scan(in, 4, CK_F32_EXPONENT, n, out); }
void ck_scan_f64(const void *in, size_t n, struct ck_scan *out) { scan(in, 8, CK_F64_EXPONENT, n, out); }
