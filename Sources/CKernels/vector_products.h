#pragma once
#include "vector_casts.h"
#include "vector_functions.h"

#pragma STDC FP_CONTRACT OFF

// Products with packed weights. CK_PANEL_VECTORS, the width of a panel in vectors of 16, is what the registers hold:
// the sums of 6 rows, one row of the panel and one number of x.
#define CK_PANEL_WIDTH (16 * CK_PANEL_VECTORS)

// Vectors whose lanes are the even (odd) halves of two others, alternating.
#define CK_INTERLEAVE_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define CK_INTERLEAVE_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

// Transposes `rows` × `columns` elements, at most 16 × 16, by four perfect shuffles; what is missing is zero.
#define CK_TRANSPOSE(name, vector, element)                                                                      \
  CK_INLINE void name(const element *from, size_t stride, size_t rows, size_t columns, element *to) {            \
    vector row[16], mixed[16];                                                                                   \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < 16; i++) {                                         \
      row[i] = (vector){};                                                                                       \
      if (i < rows) __builtin_memcpy(&row[i], from + i * stride, columns * sizeof(element));                     \
    }                                                                                                            \
    _Pragma("clang loop unroll(full)") for (int step = 0; step < 4; step++) {                                    \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i++) {                                           \
        mixed[2 * i] = CK_INTERLEAVE_LOW(row[i], row[i + 8]);                                                    \
        mixed[2 * i + 1] = CK_INTERLEAVE_HIGH(row[i], row[i + 8]);                                               \
      }                                                                                                          \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) row[i] = mixed[i];                         \
    }                                                                                                            \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < 16; i++)                                           \
      if (i < columns) __builtin_memcpy(to + i * CK_PANEL_WIDTH, &row[i], sizeof(vector));                       \
  }

#define CK_PACK(name, transpose, element)                                                                        \
  static void name(const element *rows, size_t stride, size_t outputs, size_t inputs, element *panel) {          \
    for (size_t k = 0; k < inputs; k += 16)                                                                      \
      for (size_t j = 0; j < outputs; j += 16) {                                                                 \
        const element *from = rows + j * stride + k;                                                             \
        element *to = panel + k * CK_PANEL_WIDTH + j;                                                            \
        if (k + 16 <= inputs && j + 16 <= outputs)                                                               \
          transpose(from, stride, 16, 16, to);                                                                   \
        else                                                                                                     \
          transpose(from, stride, outputs - j < 16 ? outputs - j : 16, inputs - k < 16 ? inputs - k : 16, to);   \
      }                                                                                                          \
  }

CK_TRANSPOSE(transpose_16, u16x16, uint16_t)
CK_TRANSPOSE(transpose_32, u32x16, uint32_t)
CK_PACK(pack_16, transpose_16, uint16_t)
CK_PACK(pack_32, transpose_32, uint32_t)

static void pack(const void *rows, size_t stride, size_t outputs, size_t inputs, size_t size, void *panel) {
  if (size == 2) return pack_16(rows, stride, outputs, inputs, panel);
  pack_32(rows, stride, outputs, inputs, panel);
}

/// The sums of `rows` rows over `depth` inputs, for `vectors` vectors of outputs, written to `sums` or added to them.
/// All of them are in registers meanwhile.
CK_INLINE void tile(const float *x, size_t stride, const float *panel, size_t depth, float *sums, int adds,
                    const int rows, const int vectors) {
  f32x16 sum[CK_TILE_ROWS][CK_PANEL_VECTORS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sum[r][v] = (f32x16){};
#pragma clang loop unroll(disable)
  for (size_t k = 0; k < depth; k++) {
    f32x16 weights[CK_PANEL_VECTORS];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) weights[v] = load_f32x16(panel, k * CK_PANEL_WIDTH + 16 * (size_t)v);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      f32x16 factor = (f32x16)x[(size_t)r * stride + k];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sum[r][v] = fma_f32x16(factor, weights[v], sum[r][v]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      size_t at = (size_t)(r * CK_PANEL_WIDTH + 16 * v);
      store_f32x16(sums, at, adds ? sum[r][v] + load_f32x16(sums, at) : sum[r][v]);
    }
}

#define CK_TILE_OF_VECTORS(vectors)                                               \
  static void tile_##vectors(const float *x, size_t stride, const float *panel,   \
                             size_t depth, float *sums, int adds, size_t rows) {  \
    switch (rows) {                                                               \
      case 1: return tile(x, stride, panel, depth, sums, adds, 1, vectors);       \
      case 2: return tile(x, stride, panel, depth, sums, adds, 2, vectors);       \
      case 3: return tile(x, stride, panel, depth, sums, adds, 3, vectors);       \
      case 4: return tile(x, stride, panel, depth, sums, adds, 4, vectors);       \
      case 5: return tile(x, stride, panel, depth, sums, adds, 5, vectors);       \
      default: return tile(x, stride, panel, depth, sums, adds, 6, vectors);      \
    }                                                                             \
  }

CK_TILE_OF_VECTORS(1)
#if CK_PANEL_VECTORS == 4
CK_TILE_OF_VECTORS(2)
CK_TILE_OF_VECTORS(3)
CK_TILE_OF_VECTORS(4)
static void (*const tiles_of_vectors[])(const float *, size_t, const float *, size_t, float *, int, size_t) = {
    tile_1, tile_2, tile_3, tile_4};
#else
static void (*const tiles_of_vectors[])(const float *, size_t, const float *, size_t, float *, int, size_t) = {tile_1};
#endif

/// Turns the sums of rows [row, row + rows) into their outputs.
CK_INLINE void finish(const struct ck_product *product, const struct part *part, const float *sums, size_t row,
                      size_t rows, const enum ck_activation activation) {
  for (size_t r = 0; r < rows; r++) {
    float *out = product->out + (row + r) * product->out_stride + part->first;
    const float *residual = product->residual;
    if (residual) residual += (row + r) * product->residual_stride + part->first;
    for (size_t j = 0; j < part->columns; j += 16) {
      size_t count = part->columns - j < 16 ? part->columns - j : 16, first = part->first + j;
      f32x16 y = load_f32x16(sums, r * CK_PANEL_WIDTH + j);
#define CK_OPERAND(from) (count == 16 ? load_f32x16(from, 0) : load_first(from, count))
      if (product->bias) y += CK_OPERAND(product->bias + first);
      y = activate(y, activation);
      if (product->scale) y *= CK_OPERAND(product->scale + first);
      if (residual) y += CK_OPERAND(residual + j);
#undef CK_OPERAND
      if (activation == CK_RELU) y = y < 0 ? (f32x16){} : y;
      if (count == 16)
        store_f32x16(out, j, y);
      else
        store_first(out + j, count, y);
    }
  }
}

static void finish_tile(const struct ck_product *product, const struct part *part, const float *sums, size_t row,
                        size_t rows) {
  switch (product->activation) {
    case CK_IDENTITY: return finish(product, part, sums, row, rows, CK_IDENTITY);
    case CK_QUICK_GELU: return finish(product, part, sums, row, rows, CK_QUICK_GELU);
    case CK_GELU: return finish(product, part, sums, row, rows, CK_GELU);
    case CK_GELU_TANH: return finish(product, part, sums, row, rows, CK_GELU_TANH);
    case CK_RELU: return finish(product, part, sums, row, rows, CK_RELU);
  }
}

static void multiply(const struct ck_product *product, size_t index) {
  float sums[CK_PART_ROWS * CK_PANEL_WIDTH] __attribute__((aligned(64)));
  float widened[CK_BLOCK_INPUTS * CK_PANEL_WIDTH] __attribute__((aligned(64)));
  const struct part part = part_of(product, index, CK_PANEL_WIDTH);
  const size_t first_row = tile_begin(product, part.first_tile, part.tiles);
  size_t begin = 0;
  do {
    size_t depth = product->inputs - begin < CK_BLOCK_INPUTS ? product->inputs - begin : CK_BLOCK_INPUTS;
    size_t at = (part.panel * product->inputs + begin) * CK_PANEL_WIDTH;
    const float *weights = widened;
    switch (product->storage) {
      case CK_F32: weights = (const float *)product->panels + at; break;
      case CK_F16: f16_to_f32((const uint16_t *)product->panels + at, widened, depth * CK_PANEL_WIDTH); break;
      case CK_BF16: bf16_to_f32((const uint16_t *)product->panels + at, widened, depth * CK_PANEL_WIDTH); break;
    }
    for (size_t t = part.first_tile; t < part.last_tile; t++) {
      size_t row = tile_begin(product, t, part.tiles), rows = tile_begin(product, t + 1, part.tiles) - row;
      float *tile_sums = sums + (row - first_row) * CK_PANEL_WIDTH;
      tiles_of_vectors[(part.columns - 1) / 16](product->x + row * product->x_stride + begin, product->x_stride,
                                                weights, depth, tile_sums, begin > 0, rows);
      if (begin + depth == product->inputs) finish_tile(product, &part, tile_sums, row, rows);
    }
    begin += depth;
  } while (begin < product->inputs);
}
