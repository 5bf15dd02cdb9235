#pragma once
#include "vector_products.h"

#pragma STDC FP_CONTRACT OFF

/// Turns the first `visible` scores of a row into exp(scale·score - the largest such product), sets those up to `keys`
/// to zero, and returns the sum.
static float exponentials(float *row, size_t visible, size_t keys, float scale) {
  f32x16 highest = (f32x16)(-__builtin_inff()), sum = {};
  for (size_t j = 0; j < visible; j += 16) {
    f32x16 score = load_f32x16(row, j) * scale;
    if (visible - j < 16) score = is_before(visible - j) ? score : (f32x16)(-__builtin_inff());
    highest = score > highest ? score : highest;
  }
  float maximum = highest[0];
  for (int i = 1; i < 16; i++) maximum = highest[i] > maximum ? highest[i] : maximum;
  for (size_t j = 0; j < visible; j += 16) {
    f32x16 power = exp_f32x16(load_f32x16(row, j) * scale - maximum);
    if (visible - j < 16) power = is_before(visible - j) ? power : (f32x16){};
    sum += power;
    store_f32x16(row, j, power);
  }
  for (size_t j = divide_up(visible, 16) * 16; j < keys; j++) row[j] = 0;
  return total(sum);
}

static void pack_keys_and_values(const struct ck_attention *attention, struct attention_areas areas) {
  for (size_t first = 0; first < attention->keys; first += CK_PANEL_WIDTH) {
    size_t left = attention->keys - first;
    pack(attention->k + first * attention->k_stride, attention->k_stride, left < CK_PANEL_WIDTH ? left : CK_PANEL_WIDTH,
         attention->width, 4, areas.keys + first * attention->width);
  }
  for (size_t first = 0; first < attention->width; first += CK_PANEL_WIDTH) {
    size_t left = attention->width - first, count = left < CK_PANEL_WIDTH ? left : CK_PANEL_WIDTH;
    for (size_t j = 0; j < attention->keys; j++) {
      float *to = areas.values + first * attention->keys + j * CK_PANEL_WIDTH;
      const float *from = attention->v + j * attention->v_stride + first;
      for (size_t i = 0; i < count; i += 16)
        store_f32x16(to, i, count - i < 16 ? load_first(from + i, count - i) : load_f32x16(from, i));
    }
  }
}

static void multiply_all(const struct ck_product *product) {
  size_t parts = ck_product_parts(product, CK_PANEL_WIDTH);
  for (size_t part = 0; part < parts; part++) multiply(product, part);
}

static void attend(const struct ck_attention *attention, float *workspace) {
  struct attention_areas areas = attention_areas(workspace, attention->keys, attention->width, CK_PANEL_WIDTH);
  pack_keys_and_values(attention, areas);
  for (size_t first = 0; first < attention->queries; first += CK_SCORE_ROWS) {
    size_t left = attention->queries - first, rows = left < CK_SCORE_ROWS ? left : CK_SCORE_ROWS;
    size_t keys = visible_keys(attention, first + rows - 1);
    float sums[CK_SCORE_ROWS];
    struct ck_product scores = {
        .x = attention->q + first * attention->q_stride, .rows = rows, .x_stride = attention->q_stride,
        .inputs = attention->width, .panels = areas.keys, .outputs = keys,
        .out = areas.scores, .out_stride = areas.score_stride,
    };
    multiply_all(&scores);
    for (size_t r = 0; r < rows; r++)
      sums[r] = exponentials(areas.scores + r * areas.score_stride, visible_keys(attention, first + r), keys,
                             attention->scale);
    float *out = attention->out + first * attention->out_stride;
    struct ck_product weighted = {
        .x = areas.scores, .rows = rows, .x_stride = areas.score_stride,
        .inputs = keys, .outputs = attention->width,
        .out = out, .out_stride = attention->out_stride,
    };
    // The panels of the values have room for all keys, also where the last rows of it are not needed.
    for (size_t column = 0; column < attention->width; column += CK_PANEL_WIDTH) {
      size_t left = attention->width - column;
      weighted.panels = areas.values + column * attention->keys;
      weighted.outputs = left < CK_PANEL_WIDTH ? left : CK_PANEL_WIDTH;
      weighted.out = out + column;
      multiply_all(&weighted);
    }
    for (size_t r = 0; r < rows; r++)
      for (size_t i = 0; i < attention->width; i++) out[r * attention->out_stride + i] /= sums[r];
  }
}
