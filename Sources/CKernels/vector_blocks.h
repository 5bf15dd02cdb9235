// Q8_0 blocks in vectors of 16 elements: two for each block.
#include "vector.h"

static void q8_0_to_f32(const void *in, void *out, size_t n) {
  for (size_t block = 0; block < n / 32; block++) {
    const char *from = (const char *)in + 34 * block;
    _Float16 d;
    __builtin_memcpy(&d, from, 2);
    for (size_t half = 0; half < 2; half++) {
      i8x16 q;
      __builtin_memcpy(&q, from + 2 + 16 * half, 16);
      store_f32x16(out, 32 * block + 16 * half, __builtin_convertvector(q, f32x16) * (float)d);
    }
  }
}

/// What quantization did so far; `relative` is the same in all lanes and leaves out values that became zero.
struct quantizing {
  f32x16 absolute, relative;
  i32x16 underflow;
  f64x16 signal, noise;
};

/// Quantizes and tallies 16 elements of a block whose scale is finite.
CK_INLINE i8x16 quantize_vector(f32x16 value, float inverse, float stored, struct quantizing *state) {
  f32x16 scaled = value * inverse;
  // Half away from zero: the largest number below 1/2, so that what is just below a tie is not lifted over it.
  f32x16 half = (f32x16)(((u32x16)scaled & 0x80000000) | 0x3EFFFFFF);
  i32x16 q = __builtin_convertvector(scaled + half, i32x16);

  f32x16 back = __builtin_convertvector(q, f32x16) * stored;
  f32x16 error = magnitude(back - value), size = magnitude(value);
  i32x16 is_kept = back != 0;
  state->underflow -= (value != 0) & ~is_kept;
  state->absolute = error > state->absolute ? error : state->absolute;
  if (__builtin_expect(any((error >= state->relative * size) & is_kept), 0))
    raise(&state->relative, (f32x16)((i32x16)(error / size) & is_kept));
  f64x16 wide = __builtin_convertvector(value, f64x16), wide_error = __builtin_convertvector(error, f64x16);
  state->signal = add_product(state->signal, wide, wide);
  state->noise = add_product(state->noise, wide_error, wide_error);
  return __builtin_convertvector(q, i8x16);
}

static void f32_to_q8_0(const void *in, void *out, size_t n, struct ck_tally *tally) {
  *tally = (struct ck_tally){0};
  struct quantizing state = {};
  for (size_t block = 0; block < n / 32; block++) {
    char *to = (char *)out + 34 * block;
    f32x16 low = load_f32x16(in, 32 * block), high = load_f32x16(in, 32 * block + 16);
    f32x16 larger = (f32x16)__builtin_elementwise_max((u32x16)magnitude(low), (u32x16)magnitude(high));
    float largest = largest_of(larger);  // NaN when there is one: its bits are larger than those of any number
    float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    if (!(inverse < __builtin_inff())) inverse = 0;
    _Float16 half = (_Float16)d;
    float stored = half;
    if (__builtin_expect(!(stored < __builtin_inff()), 0)) {
      struct lanes signal = lanes_of(state.signal), noise = lanes_of(state.noise);
      ck_quantize_q8_0(in, to, 32 * block, tally, &signal, &noise);
      __builtin_memcpy(&state.signal, &signal, sizeof signal);
      __builtin_memcpy(&state.noise, &noise, sizeof noise);
      continue;
    }
    __builtin_memcpy(to, &half, 2);
    i8x16 first = quantize_vector(low, inverse, stored, &state);
    i8x16 second = quantize_vector(high, inverse, stored, &state);
    __builtin_memcpy(to + 2, &first, 16);
    __builtin_memcpy(to + 18, &second, 16);
  }
  tally->underflow += (uint32_t)__builtin_reduce_add(state.underflow);
  // Blocks whose scale is not finite have no finite output, so they have no errors.
  tally->max_absolute = largest_of(state.absolute);
  tally->max_relative = state.relative[0];
  if (tally->underflow > 0 && tally->max_relative < 1) tally->max_relative = 1;
  tally->signal = lanes_total(lanes_of(state.signal));
  tally->noise = lanes_total(lanes_of(state.noise));
}
