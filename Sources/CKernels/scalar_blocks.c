// GGUF's block types, one block of 32 elements at a time: the reference for every other level.
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

void ck_q8_0_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 34 * block;
    float d = f32_of_f16(load16(from, 0));
    for (size_t i = 0; i < 32; i++) store32(out, 32 * block + i, (float)(int8_t)from[2 + i] * d);
  }
}

/// 4 or 5 bits for each element: element i has the low half of byte i, element i + 16 the high half; bit i of `fifth`
/// is the fifth bit of element i.
static void unpack(const char *nibbles, uint32_t fifth, int offset, float d, float m, void *out, size_t first) {
  for (size_t i = 0; i < 32; i++) {
    int q = (uint8_t)nibbles[i % 16] >> (i < 16 ? 0 : 4) & 15;
    q |= (int)(fifth >> i & 1) << 4;
    float value = (float)(q - offset) * d;
    // Without a minimum nothing may be added: -0 + 0 would be 0.
    store32(out, first + i, offset == 0 ? value + m : value);
  }
}

void ck_q4_0_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 18 * block;
    unpack(from + 2, 0, 8, f32_of_f16(load16(from, 0)), 0, out, 32 * block);
  }
}

void ck_q4_1_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 20 * block;
    unpack(from + 4, 0, 0, f32_of_f16(load16(from, 0)), f32_of_f16(load16(from, 1)), out, 32 * block);
  }
}

void ck_q5_0_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 22 * block;
    unpack(from + 6, bits_of(load32(from + 2, 0)), 16, f32_of_f16(load16(from, 0)), 0, out, 32 * block);
  }
}

void ck_q5_1_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 24 * block;
    float d = f32_of_f16(load16(from, 0)), m = f32_of_f16(load16(from, 1));
    unpack(from + 8, bits_of(load32(from + 4, 0)), 0, d, m, out, 32 * block);
  }
}

void ck_quantize_q8_0(const void *in, char *out, size_t first, struct ck_tally *tally, struct lanes *signal,
                      struct lanes *noise) {
  float infinity = __builtin_inff(), largest = 0;
  int has_nan = 0;
  for (size_t i = 0; i < 32; i++) {
    float magnitude = __builtin_fabsf(load32(in, first + i));
    if (magnitude > largest) largest = magnitude;
    has_nan |= magnitude != magnitude;
  }
  float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
  if (has_nan || !(inverse < infinity)) inverse = 0;
  uint16_t half = has_nan ? 0x7E00 : f16_of(d);
  float stored = f32_of_f16(half);
  store16(out, 0, half);

  for (size_t i = 0; i < 32; i++) {
    float value = load32(in, first + i), magnitude = __builtin_fabsf(value);
    int is_finite = magnitude < infinity;
    int q = is_finite ? (int)__builtin_roundf(value * inverse) : 0;
    out[2 + i] = (char)q;
    float back = (float)q * stored, error = __builtin_fabsf(back - value);
    if (!is_finite) {
      if (tally->nonfinite++ == 0) tally->first_nonfinite = first + i;
    } else if (!(__builtin_fabsf(back) < infinity)) {
      tally->overflow++;
    } else if (value != 0) {
      float relative = error / magnitude;
      tally->underflow += back == 0;
      if (error > tally->max_absolute) tally->max_absolute = error;
      if (relative > tally->max_relative) tally->max_relative = relative;
      signal->lane[i % 16] += (double)value * value;
      noise->lane[i % 16] += (double)error * error;
    }
  }
}

void ck_f32_to_q8_0(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  struct lanes signal = {0}, noise = {0};
  for (size_t block = 0; block < n / 32; block++)
    ck_quantize_q8_0(in, (char *)out + 34 * block, 32 * block, tally, &signal, &noise);
  tally->signal = lanes_total(signal);
  tally->noise = lanes_total(noise);
}
