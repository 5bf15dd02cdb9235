#pragma once
#include "vector_functions.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang assume_nonnull begin

/// Up to 16 numbers of a row that has `columns`; what lies beyond is zero.
CK_INLINE f32x16 load_row(const float *row, size_t j, size_t columns) {
  return columns - j < 16 ? load_first(row + j, columns - j) : load_f32x16(row, j);
}

CK_INLINE void store_row(float *row, size_t j, size_t columns, f32x16 value) {
  if (columns - j < 16) return store_first(row + j, columns - j, value);
  store_f32x16(row, j, value);
}

static void layer_norm(const float *x, size_t x_stride, size_t rows, size_t columns, const float *_Nullable weight,
                       const float *_Nullable bias, double epsilon, float *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++, x += x_stride, out += out_stride) {
    f64x16 sum = {}, squares = {};
    for (size_t j = 0; j < columns; j += 16) sum += __builtin_convertvector(load_row(x, j, columns), f64x16);
    double mean = lanes_total(lanes_of(sum)) / (double)columns;
    for (size_t j = 0; j < columns; j += 16) {
      f64x16 exact = __builtin_convertvector(load_row(x, j, columns), f64x16) - mean;
      f32x16 difference = __builtin_convertvector(exact, f32x16);
      if (columns - j < 16) difference = is_before(columns - j) ? difference : (f32x16){};
      f64x16 wide = __builtin_convertvector(difference, f64x16);
      squares = add_product(squares, wide, wide);
      store_row(out, j, columns, difference);
    }
    double variance = lanes_total(lanes_of(squares)) / (double)columns;
    float factor = (float)(1 / __builtin_sqrt(variance + epsilon));
    for (size_t j = 0; j < columns; j += 16) {
      f32x16 one = (f32x16)1;
      f32x16 y = load_row(out, j, columns) * factor;
      y = fma_f32x16(y, weight ? load_row(weight, j, columns) : one, bias ? load_row(bias, j, columns) : (f32x16){});
      store_row(out, j, columns, y);
    }
  }
}

#pragma clang assume_nonnull end
