// Comparison and statistics, one element at a time: the reference for every other level.
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

CK_INLINE int is_finite(double value) { return __builtin_fabs(value) < __builtin_inf(); }

CK_INLINE void compare(struct comparing *state, double a, double b, size_t i) {
  struct ck_comparison *result = &state->result;
  double difference = a - b;
  int lane = i % 16;
  if (is_finite(a)) {
    double magnitude = __builtin_fabs(a);
    if (magnitude > result->max_magnitude) result->max_magnitude = magnitude;
    if (is_finite(b)) {
      state->ab.lane[lane] += a * b;
      state->aa.lane[lane] += a * a;
      state->bb.lane[lane] += b * b;
      state->dd.lane[lane] += difference * difference;
    }
  }
  if (a != a || b != b) {
    int mismatch = (a != a) != (b != b);
    result->nan_mismatch += mismatch;
    result->differing += mismatch;
  } else if (a != b) {
    result->differing++;
    if (__builtin_fabs(difference) > result->max_absolute) {
      result->max_absolute = __builtin_fabs(difference);
      result->max_index = i;
    }
  }
}

void ck_compare_f32_rest(const void *a, const void *b, size_t i, size_t n, struct comparing *state) {
  for (; i < n; i++) compare(state, load32(a, i), load32(b, i), i);
}

void ck_compare_finish(struct comparing *state, struct ck_comparison *comparison) {
  *comparison = state->result;
  comparison->ab = lanes_total(state->ab);
  comparison->aa = lanes_total(state->aa);
  comparison->bb = lanes_total(state->bb);
  comparison->dd = lanes_total(state->dd);
}

void ck_compare_f32(const void *a, const void *b, size_t n, struct ck_comparison *comparison) {
  struct comparing state = {0};
  ck_compare_f32_rest(a, b, 0, n, &state);
  ck_compare_finish(&state, comparison);
}

void ck_compare_f64(const void *a, const void *b, size_t n, struct ck_comparison *comparison) {
  struct comparing state = {0};
  for (size_t i = 0; i < n; i++) compare(&state, load64(a, i), load64(b, i), i);
  ck_compare_finish(&state, comparison);
}

CK_INLINE void describe(struct describing *state, double value, size_t i) {
  struct ck_statistics *result = &state->result;
  if (is_finite(value)) {
    result->zeros += value == 0;
    if (value < result->min) result->min = value;
    if (value > result->max) result->max = value;
    state->sum.lane[i % 16] += value;
  } else if (value != value) {
    result->nan++;
  } else if (value > 0) {
    result->positive_infinity++;
  } else {
    result->negative_infinity++;
  }
}

void ck_describe_f32_rest(const void *in, size_t i, size_t n, struct describing *state) {
  for (; i < n; i++) describe(state, load32(in, i), i);
}

double ck_describe_mean(const struct describing *state, size_t n) {
  const struct ck_statistics *result = &state->result;
  size_t finite = n - result->nan - result->positive_infinity - result->negative_infinity;
  return finite > 0 ? lanes_total(state->sum) / (double)finite : 0;
}

CK_INLINE void deviate(struct describing *state, double value, size_t i) {
  if (!is_finite(value)) return;
  double deviation = value - state->mean;
  state->deviations.lane[i % 16] += deviation * deviation;
}

void ck_deviate_f32_rest(const void *in, size_t i, size_t n, struct describing *state) {
  for (; i < n; i++) deviate(state, load32(in, i), i);
}

void ck_describe_finish(struct describing *state, struct ck_statistics *statistics) {
  *statistics = state->result;
  statistics->min += 0.0;  // -0 becomes 0: which zero was met first is nobody's business
  statistics->max += 0.0;
  statistics->sum = lanes_total(state->sum);
  statistics->deviations = lanes_total(state->deviations);
}

void ck_describe_f32(const void *in, size_t n, struct ck_statistics *statistics) {
  struct describing state = CK_DESCRIBING;
  ck_describe_f32_rest(in, 0, n, &state);
  state.mean = ck_describe_mean(&state, n);
  ck_deviate_f32_rest(in, 0, n, &state);
  ck_describe_finish(&state, statistics);
}

void ck_describe_f64(const void *in, size_t n, struct ck_statistics *statistics) {
  struct describing state = CK_DESCRIBING;
  for (size_t i = 0; i < n; i++) describe(&state, load64(in, i), i);
  state.mean = ck_describe_mean(&state, n);
  for (size_t i = 0; i < n; i++) deviate(&state, load64(in, i), i);
  ck_describe_finish(&state, statistics);
}
