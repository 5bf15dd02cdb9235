#pragma once
#include "cimages.h"

#pragma clang assume_nonnull begin

/// One half, 22 bits after the point.
#define CI_HALF (1 << 21)

/// A sum with 22 bits after the point as 8 bits, as nearest as it can be.
static inline uint8_t ci_clipped(int32_t sum) {
  int32_t value = sum >> 22;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/// Both passes in vectors of one instruction set.
struct ci_passes {
  void (*rows)(const uint8_t *in, size_t in_stride, const uint8_t *in_end, uint8_t *out, size_t rows, int channels,
               const struct ci_weights *weights);
  void (*columns)(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights);
};
extern const struct ci_passes ci_avx2, ci_avx512, ci_neon;

/// Output pixel x of a row.
void ci_resize_pixel(const uint8_t *row, uint8_t *out, int channels, const struct ci_weights *weights, size_t x);

/// Samples [from, row) of output row y.
void ci_resize_samples(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights, size_t y,
                       size_t from);

#pragma clang assume_nonnull end
