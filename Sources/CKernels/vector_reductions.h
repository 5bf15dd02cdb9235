// Comparison and statistics in vectors of 16 elements.
#include "vector.h"

/// More than the difference of any two finite f32, so that an infinite one exceeds it.
#define CK_BEYOND 0x1p200

/// Counts what is notable about 16 pairs: a NaN in one only, the largest difference so far.
static void compare_notable(const float *a, const float *b, size_t i, struct ck_comparison *result) {
  for (size_t j = 0; j < 16; j++) {
    if (a[j] != a[j] || b[j] != b[j]) {
      result->nan_mismatch += (a[j] != a[j]) != (b[j] != b[j]);
    } else if (a[j] != b[j] && __builtin_fabs((double)a[j] - b[j]) > result->max_absolute) {
      result->max_absolute = __builtin_fabs((double)a[j] - b[j]);
      result->max_index = i + j;
    }
  }
}

static void compare_f32(const void *a, const void *b, size_t n, struct ck_comparison *comparison) {
  struct comparing state = {0};
  f64x16 ab = {}, aa = {}, bb = {}, dd = {};
  f32x16 largest = {};
  i32x16 differing = {};
  double threshold = 0;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 x = load_f32x16(a, i), y = load_f32x16(b, i), size = magnitude(x);
    i32x16 differs = x != y;
    f64x16 wide_x = __builtin_convertvector(x, f64x16), wide_y = __builtin_convertvector(y, f64x16);
    f64x16 difference = wide_x - wide_y;
    // Neither a new largest difference, nor one that is infinite or NaN.
    i64x16 is_usual = (f64x16)((i64x16)difference & INT64_MAX) <= threshold;
    if (__builtin_expect(!all64(is_usual), 0)) {
      compare_notable((float *)&x, (float *)&y, i, &state.result);
      threshold = state.result.max_absolute < CK_BEYOND ? state.result.max_absolute : CK_BEYOND;
      differs &= ~((x != x) & (y != y));
      size = size < __builtin_inff() ? size : 0;
      i32x16 is_finite = (magnitude(x) < __builtin_inff()) & (magnitude(y) < __builtin_inff());
      wide_x = __builtin_convertvector((f32x16)((i32x16)x & is_finite), f64x16);
      wide_y = __builtin_convertvector((f32x16)((i32x16)y & is_finite), f64x16);
      difference = wide_x - wide_y;
    }
    differing -= differs;
    largest = size > largest ? size : largest;
    ab = add_product(ab, wide_x, wide_y);
    aa = add_product(aa, wide_x, wide_x);
    bb = add_product(bb, wide_y, wide_y);
    dd += difference * difference;
  }
  state.result.differing = (uint32_t)__builtin_reduce_add(differing);
  state.result.max_magnitude = largest_of(largest);
  state.ab = lanes_of(ab);
  state.aa = lanes_of(aa);
  state.bb = lanes_of(bb);
  state.dd = lanes_of(dd);
  ck_compare_f32_rest(a, b, i, n, &state);
  ck_compare_finish(&state, comparison);
}

static void describe_f32(const void *in, size_t n, struct ck_statistics *statistics) {
  struct describing state = CK_DESCRIBING;
  f64x16 sum = {}, deviations = {};
  f32x16 smallest = (f32x16){} + __builtin_inff(), largest = -smallest;
  i32x16 zeros = {}, nan = {}, positive = {}, negative = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 value = load_f32x16(in, i), low = value, high = value;
    i32x16 is_finite = magnitude(value) < __builtin_inff();
    if (__builtin_expect(any(~is_finite), 0)) {
      nan -= value != value;
      positive -= value == __builtin_inff();
      negative -= value == -__builtin_inff();
      low = is_finite ? value : __builtin_inff();
      high = is_finite ? value : -__builtin_inff();
    }
    zeros -= value == 0;
    smallest = low < smallest ? low : smallest;
    largest = high > largest ? high : largest;
    sum += __builtin_convertvector((f32x16)((i32x16)value & is_finite), f64x16);
  }
  state.result.zeros = (uint32_t)__builtin_reduce_add(zeros);
  state.result.nan = (uint32_t)__builtin_reduce_add(nan);
  state.result.positive_infinity = (uint32_t)__builtin_reduce_add(positive);
  state.result.negative_infinity = (uint32_t)__builtin_reduce_add(negative);
  for (int j = 0; j < 16; j++) {
    if (smallest[j] < state.result.min) state.result.min = smallest[j];
    if (largest[j] > state.result.max) state.result.max = largest[j];
  }
  state.sum = lanes_of(sum);
  ck_describe_f32_rest(in, i, n, &state);
  state.mean = ck_describe_mean(&state, n);
  // The run is in the cache by now.
  for (i = 0; i + 16 <= n; i += 16) {
    f32x16 value = load_f32x16(in, i);
    i64x16 is_finite = __builtin_convertvector(magnitude(value) < __builtin_inff(), i64x16);
    f64x16 deviation = __builtin_convertvector(value, f64x16) - state.mean;
    deviation = (f64x16)((i64x16)deviation & is_finite);
    deviations += deviation * deviation;
  }
  state.deviations = lanes_of(deviations);
  ck_deviate_f32_rest(in, i, n, &state);
  ck_describe_finish(&state, statistics);
}
