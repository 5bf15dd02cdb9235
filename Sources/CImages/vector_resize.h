// The passes in vectors of 16 sums, whatever the width of a register; compiled for each instruction set.
#include "resize.h"

typedef uint8_t u8x4 __attribute__((ext_vector_type(4)));
typedef uint8_t u8x8 __attribute__((ext_vector_type(8)));
typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef int32_t i32x4 __attribute__((ext_vector_type(4)));
typedef int32_t i32x8 __attribute__((ext_vector_type(8)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));

#define CI_INLINE static inline __attribute__((always_inline))

CI_INLINE i32x4 load_weights(const int32_t *weights) {
  i32x4 result;
  __builtin_memcpy(&result, weights, sizeof result);
  return result;
}

/// The sums of four taps on, lane by lane: one lane for each channel of each tap.
CI_INLINE i32x16 taps_of_colors(const uint8_t *in, int channels, const int32_t *weights) {
  u8x16 bytes;
  __builtin_memcpy(&bytes, in, 16);
  if (channels == 3)
    bytes = __builtin_shufflevector(bytes, bytes, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  i32x4 four = load_weights(weights);
  i32x16 spread = __builtin_shufflevector(four, four, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return __builtin_convertvector(bytes, i32x16) * spread;
}

CI_INLINE i32x8 taps_of_pairs(const uint8_t *in, const int32_t *weights) {
  u8x8 bytes;
  __builtin_memcpy(&bytes, in, 8);
  i32x4 four = load_weights(weights);
  return __builtin_convertvector(bytes, i32x8) * __builtin_shufflevector(four, four, 0, 0, 1, 1, 2, 2, 3, 3);
}

CI_INLINE i32x4 taps_of_samples(const uint8_t *in, const int32_t *weights) {
  u8x4 bytes;
  __builtin_memcpy(&bytes, in, 4);
  return __builtin_convertvector(bytes, i32x4) * load_weights(weights);
}

/// The channels' sums of one output pixel, in the first lanes.
CI_INLINE i32x4 sums(const uint8_t *in, int channels, const int32_t *weights, int32_t count) {
  if (channels >= 3) {
    i32x16 sum = {};
    for (int32_t k = 0; k < count; k += 4) sum += taps_of_colors(in + k * channels, channels, weights + k);
    i32x8 half = sum.lo + sum.hi;
    return half.lo + half.hi;
  }
  if (channels == 2) {
    i32x8 sum = {};
    for (int32_t k = 0; k < count; k += 4) sum += taps_of_pairs(in + 2 * k, weights + k);
    i32x4 half = sum.lo + sum.hi;
    return (i32x4){half[0] + half[2], half[1] + half[3]};
  }
  i32x4 sum = {};
  for (int32_t k = 0; k < count; k += 4) sum += taps_of_samples(in + k, weights + k);
  return (i32x4){sum[0] + sum[1] + sum[2] + sum[3]};
}

CI_INLINE void resize_row(const uint8_t *in, const uint8_t *in_end, uint8_t *out, int channels,
                          const struct ci_weights *weights) {
  size_t readable = (size_t)(in_end - in);
  for (size_t x = 0; x < weights->outputs; x++) {
    size_t start = (size_t)weights->starts[x] * channels;
    // Four taps at a time are read, 16 bytes at most: more than there may be at the very end.
    if (start + weights->taps * channels + 4 > readable) {
      ci_resize_pixel(in, out, channels, weights, x);
      continue;
    }
    i32x4 sum = sums(in + start, channels, weights->fixed + x * weights->taps, weights->counts[x]) + CI_HALF;
    sum = __builtin_elementwise_min(__builtin_elementwise_max(sum >> 22, (i32x4){}), (i32x4){} + 255);
    u8x4 pixel = __builtin_convertvector(sum, u8x4);
    __builtin_memcpy(out + x * channels, &pixel, channels);
  }
}

#define CI_ROWS(channels)                                                   \
  for (size_t y = 0; y < rows; y++, in += in_stride, out += out_stride)     \
    resize_row(in, in_end, out, channels, weights)

static void vector_rows(const uint8_t *in, size_t in_stride, const uint8_t *in_end, uint8_t *out, size_t rows,
                        int channels, const struct ci_weights *weights) {
  size_t out_stride = weights->outputs * channels;
  switch (channels) {
    case 1: CI_ROWS(1); break;
    case 2: CI_ROWS(2); break;
    case 3: CI_ROWS(3); break;
    default: CI_ROWS(4); break;
  }
}

CI_INLINE i32x16 load_samples(const uint8_t *in) {
  u8x16 bytes;
  __builtin_memcpy(&bytes, in, 16);
  return __builtin_convertvector(bytes, i32x16);
}

/// `vectors` × 16 neighbouring samples of an output row.
CI_INLINE void resize_samples(const uint8_t *in, uint8_t *out, size_t row, const int32_t *weights, int32_t count,
                              int vectors) {
  i32x16 sums[4];
  for (int i = 0; i < vectors; i++) sums[i] = (i32x16){} + CI_HALF;
  for (int32_t k = 0; k < count; k++, in += row)
    for (int i = 0; i < vectors; i++) sums[i] += load_samples(in + 16 * i) * weights[k];
  for (int i = 0; i < vectors; i++) {
    i32x16 sum = __builtin_elementwise_min(__builtin_elementwise_max(sums[i] >> 22, (i32x16){}), (i32x16){} + 255);
    u8x16 bytes = __builtin_convertvector(sum, u8x16);
    __builtin_memcpy(out + 16 * i, &bytes, 16);
  }
}

static void vector_columns(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights) {
  for (size_t y = 0; y < weights->outputs; y++) {
    const int32_t *weight = weights->fixed + y * weights->taps;
    const uint8_t *from = in + (size_t)weights->starts[y] * row;
    size_t x = 0;
    for (; x + 64 <= row; x += 64) resize_samples(from + x, out + y * row + x, row, weight, weights->counts[y], 4);
    for (; x + 16 <= row; x += 16) resize_samples(from + x, out + y * row + x, row, weight, weights->counts[y], 1);
    ci_resize_samples(in, out, row, weights, y, x);
  }
}
