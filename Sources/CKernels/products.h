#pragma once
#include "ckproducts.h"
#include "internal.h"

// How products are divided, and their functions one number at a time: shared by the kernels of all levels.

#pragma STDC FP_CONTRACT OFF
#pragma clang assume_nonnull begin

enum {
  /// Rows whose sums are in registers together.
  CK_TILE_ROWS = 6,
  /// Tiles that one part has: the sums of 96 rows stay in the first-level cache.
  CK_PART_TILES = 16,
  CK_PART_ROWS = CK_TILE_ROWS * CK_PART_TILES,
  /// Inputs in a block. Long sums of f32 lose digits: adding up blocks halves the error at 3072 inputs. A block of a
  /// panel takes at most 64 KB, which the second-level cache holds.
  CK_BLOCK_INPUTS = 256,
};

/// What one part computes: tiles [first_tile, last_tile) of all `tiles`, columns [first, first + columns).
struct part {
  size_t panel, first, columns;
  size_t tiles, first_tile, last_tile;
};

CK_INLINE size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

/// Rows are divided evenly: 50 are tiles of 6 and 5, not eight of 6 and one of 2.
CK_INLINE size_t tile_begin(const struct ck_product *product, size_t tile, size_t tiles) {
  return tile * product->rows / tiles;
}

CK_INLINE struct part part_of(const struct ck_product *product, size_t index, size_t panel_width) {
  size_t panels = divide_up(product->outputs, panel_width);
  size_t tiles = divide_up(product->rows, CK_TILE_ROWS), chunks = divide_up(tiles, CK_PART_TILES);
  size_t chunk = index / panels, panel = index % panels, first = panel * panel_width;
  size_t left = product->outputs - first;
  return (struct part){
      .panel = panel,
      .first = first,
      .columns = left < panel_width ? left : panel_width,
      .tiles = tiles,
      .first_tile = chunk * tiles / chunks,
      .last_tile = (chunk + 1) * tiles / chunks,
  };
}

// exp(x) = 2^n·e^r with |r| ≤ ln(2)/2: n = x/ln(2) rounded by adding and subtracting 1.5·2^23, r in two steps, e^r as
// 1 + r + r²·(polynomial of degree 4). Beyond the limits the result is infinite or zero anyway.
#define CK_EXP_HIGHEST 89.0f
#define CK_EXP_LOWEST (-110.0f)
#define CK_LOG2_E 0x1.715476p+0f
#define CK_LN2_HIGH 0x1.62e430p-1f
#define CK_LN2_LOW (-0x1.05c610p-29f)
#define CK_ROUNDING 0x1.8p+23f
static const float ck_exp_terms[] = {0x1.6dc4d0p-10f, 0x1.124758p-7f, 0x1.55544ep-5f, 0x1.55547ep-3f, 0.5f};

// ln(2Φ(-a)) = a·(polynomial of degree 9) for a ≥ 0: relative error of Φ below 2e-8 up to 3, growing to 3e-6 at 5,
// where Φ is 3e-7; further on the polynomial falls and Φ with it.
static const float ck_gelu_terms[] = {
    -0x1.b69830p-26f, 0x1.77c198p-21f, -0x1.190de4p-17f, 0x1.d3c6a8p-15f, -0x1.9fc7a0p-13f,
    0x1.236f42p-22f,  0x1.3c1fe8p-8f,  -0x1.29dc0ep-5f,  -0x1.45f148p-2f, -0x1.988468p-1f,
};

#define CK_QUICK_GELU_FACTOR 1.702f
#define CK_GELU_TANH_FACTOR 0x1.988454p+0f  // 2·√(2/π)
#define CK_GELU_TANH_CUBIC 0.044715f

/// Rows of scores that are in an attention's workspace at a time.
enum { CK_SCORE_ROWS = CK_PART_ROWS };

/// The areas of an attention's workspace.
struct attention_areas {
  /// Keys as the weights of a product with the queries, and values as those of one with the probabilities.
  float *keys, *values;
  /// CK_SCORE_ROWS rows of `score_stride`.
  float *scores;
  size_t score_stride;
};

CK_INLINE struct attention_areas attention_areas(float *workspace, size_t keys, size_t width, size_t panel_width) {
  float *values = workspace + divide_up(keys, panel_width) * panel_width * width;
  return (struct attention_areas){
      .keys = workspace,
      .values = values,
      .scores = values + divide_up(width, panel_width) * panel_width * keys,
      .score_stride = divide_up(keys, 16) * 16,
  };
}

/// How many keys query `query` sees.
CK_INLINE size_t visible_keys(const struct ck_attention *attention, size_t query) {
  size_t visible = attention->first_visible + query;
  return visible < attention->keys ? visible : attention->keys;
}

extern const struct ck_product_table ck_products_scalar, ck_products_avx2, ck_products_avx512, ck_products_neon;

#pragma clang assume_nonnull end
