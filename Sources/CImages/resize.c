// The passes of Pillow's resize: the reference, and what is chosen at run time.
#include "resize.h"

#pragma STDC FP_CONTRACT OFF

void ci_resize_pixel(const uint8_t *row, uint8_t *out, int channels, const struct ci_weights *weights, size_t x) {
  const int32_t *weight = weights->fixed + x * weights->taps;
  const uint8_t *in = row + (size_t)weights->starts[x] * channels;
  for (int c = 0; c < channels; c++) {
    int32_t sum = CI_HALF;
    for (int32_t k = 0; k < weights->counts[x]; k++) sum += in[(size_t)k * channels + c] * weight[k];
    out[x * channels + c] = ci_clipped(sum);
  }
}

void ci_resize_samples(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights, size_t y,
                       size_t from) {
  const int32_t *weight = weights->fixed + y * weights->taps;
  in += (size_t)weights->starts[y] * row;
  out += y * row;
  for (size_t x = from; x < row; x++) {
    int32_t sum = CI_HALF;
    for (int32_t k = 0; k < weights->counts[y]; k++) sum += in[(size_t)k * row + x] * weight[k];
    out[x] = ci_clipped(sum);
  }
}

static void scalar_rows(const uint8_t *in, size_t in_stride, const uint8_t *in_end, uint8_t *out, size_t rows,
                        int channels, const struct ci_weights *weights) {
  (void)in_end;
  for (size_t y = 0; y < rows; y++, in += in_stride, out += weights->outputs * channels)
    for (size_t x = 0; x < weights->outputs; x++) ci_resize_pixel(in, out, channels, weights, x);
}

static void scalar_columns(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights) {
  for (size_t y = 0; y < weights->outputs; y++) ci_resize_samples(in, out, row, weights, y, 0);
}

static const struct ci_passes scalar = {scalar_rows, scalar_columns};

int ci_level_count(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return 1;
  int has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has_avx512 ? 3 : 2;
#elif defined(__aarch64__)
  return 2;
#else
  return 1;
#endif
}

static const struct ci_passes *passes(int level) {
#if defined(__x86_64__)
  static const struct ci_passes *const all[] = {&scalar, &ci_avx2, &ci_avx512};
#elif defined(__aarch64__)
  static const struct ci_passes *const all[] = {&scalar, &ci_neon};
#else
  static const struct ci_passes *const all[] = {&scalar};
#endif
  return all[level];
}

void ci_resize_rows(int level, const uint8_t *in, size_t in_stride, const uint8_t *in_end, uint8_t *out, size_t rows,
                    int channels, const struct ci_weights *weights) {
  passes(level)->rows(in, in_stride, in_end, out, rows, channels, weights);
}

void ci_resize_columns(int level, const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights) {
  passes(level)->columns(in, out, row, weights);
}

static unsigned load(const uint8_t *in, size_t i) { return in[2 * i] | (unsigned)in[2 * i + 1] << 8; }

static void store(uint8_t *out, size_t i, double sum) {
  // Half is added in single precision, then the sum is cut: as Pillow does.
  int value = (int)(sum >= 0.0 ? sum + 0.5F : sum - 0.5F);
  value = value < 0 ? 0 : value > 65535 ? 65535 : value;
  out[2 * i] = (uint8_t)value;
  out[2 * i + 1] = (uint8_t)(value >> 8);
}

void ci_resize_rows_16(const uint8_t *in, size_t in_stride, uint8_t *out, size_t rows,
                       const struct ci_weights *weights) {
  for (size_t y = 0; y < rows; y++, in += in_stride, out += 2 * weights->outputs) {
    for (size_t x = 0; x < weights->outputs; x++) {
      const double *weight = weights->exact + x * weights->taps;
      double sum = 0;
      for (int32_t k = 0; k < weights->counts[x]; k++) sum += load(in, (size_t)(weights->starts[x] + k)) * weight[k];
      store(out, x, sum);
    }
  }
}

void ci_resize_columns_16(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights) {
  for (size_t y = 0; y < weights->outputs; y++, out += 2 * row) {
    const double *weight = weights->exact + y * weights->taps;
    for (size_t x = 0; x < row; x++) {
      double sum = 0;
      for (int32_t k = 0; k < weights->counts[y]; k++)
        sum += load(in, (size_t)(weights->starts[y] + k) * row + x) * weight[k];
      store(out, x, sum);
    }
  }
}
