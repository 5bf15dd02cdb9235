#include "products.h"

// The reference for products: one number at a time, in the order of sums that the header states.

#pragma clang assume_nonnull begin

enum { PANEL_WIDTH = 16 };

static float polynomial(float x, const float *terms, int count) {
  float sum = terms[0];
  for (int i = 1; i < count; i++) sum = __builtin_fmaf(sum, x, terms[i]);
  return sum;
}

static float power_of_2(int32_t n) { return float_of((uint32_t)(n + 127) << 23); }

static float exponential(float x) {
  x = x > CK_EXP_HIGHEST ? CK_EXP_HIGHEST : x;
  x = x < CK_EXP_LOWEST ? CK_EXP_LOWEST : x;
  if (x != x) return x;
  float shifted = __builtin_fmaf(x, CK_LOG2_E, CK_ROUNDING), whole = shifted - CK_ROUNDING;
  float rest = __builtin_fmaf(whole, -CK_LN2_LOW, __builtin_fmaf(whole, -CK_LN2_HIGH, x));
  float power = __builtin_fmaf(rest * rest, polynomial(rest, ck_exp_terms, 5), rest) + 1;
  int32_t n = (int32_t)whole, half = n >> 1;
  return power * power_of_2(half) * power_of_2(n - half);
}

static float activate(float y, enum ck_activation activation) {
  switch (activation) {
    case CK_QUICK_GELU: return y / (exponential(y * -CK_QUICK_GELU_FACTOR) + 1);
    case CK_GELU: {
      float size = __builtin_fabsf(y);
      float half = exponential(polynomial(size, ck_gelu_terms, 10) * size) * 0.5f;
      return y * (y < 0 ? half : 1 - half);
    }
    case CK_GELU_TANH: {
      float inner = __builtin_fmaf(y * y * CK_GELU_TANH_CUBIC, y, y);
      return y / (exponential(inner * -CK_GELU_TANH_FACTOR) + 1);
    }
    default: return y;
  }
}

static float element(const void *elements, enum ck_storage storage, size_t i) {
  switch (storage) {
    case CK_F32: return load32(elements, i);
    case CK_F16: return f32_of_f16(load16(elements, i));
    case CK_BF16: return f32_of_bf16(load16(elements, i));
  }
}

static void pack(const void *rows, size_t stride, size_t outputs, size_t inputs, size_t size, void *panel) {
  for (size_t k = 0; k < inputs; k++)
    for (size_t o = 0; o < PANEL_WIDTH; o++) {
      char *to = (char *)panel + (k * PANEL_WIDTH + o) * size;
      if (o < outputs)
        __builtin_memcpy(to, (const char *)rows + (o * stride + k) * size, size);
      else
        __builtin_memset(to, 0, size);
    }
}

/// Σ x[i]·w[i], w at every PANEL_WIDTH-th weight from `first` on.
static float sum_of_products(const float *x, const void *weights, enum ck_storage storage, size_t first,
                             size_t inputs) {
  float sum = 0;
  for (size_t begin = 0; begin < inputs; begin += CK_BLOCK_INPUTS) {
    float block = 0;
    for (size_t i = begin; i < inputs && i < begin + CK_BLOCK_INPUTS; i++)
      block = __builtin_fmaf(x[i], element(weights, storage, first + i * PANEL_WIDTH), block);
    sum = begin > 0 ? block + sum : block;
  }
  return sum;
}

static void multiply(const struct ck_product *product, size_t index) {
  const struct part part = part_of(product, index, PANEL_WIDTH);
  size_t last_row = tile_begin(product, part.last_tile, part.tiles);
  for (size_t r = tile_begin(product, part.first_tile, part.tiles); r < last_row; r++)
    for (size_t j = 0; j < part.columns; j++) {
      size_t o = part.first + j;
      float y = sum_of_products(product->x + r * product->x_stride, product->panels, product->storage,
                                part.panel * product->inputs * PANEL_WIDTH + j, product->inputs);
      if (product->bias) y += product->bias[o];
      y = activate(y, product->activation);
      if (product->scale) y *= product->scale[o];
      if (product->residual) y += product->residual[r * product->residual_stride + o];
      if (product->activation == CK_RELU) y = y < 0 ? 0 : y;
      product->out[r * product->out_stride + o] = y;
    }
}

static float total(const float lanes[16]) {
  float sums[16];
  __builtin_memcpy(sums, lanes, sizeof sums);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) sums[i] += sums[i + width];
  return sums[0];
}

static void attend(const struct ck_attention *attention, float *scores) {
  for (size_t r = 0; r < attention->queries; r++) {
    size_t keys = visible_keys(attention, r);
    float highest = -__builtin_inff(), lanes[16] = {0};
    for (size_t j = 0; j < keys; j++) {
      float score = 0;
      for (size_t begin = 0; begin < attention->width; begin += CK_BLOCK_INPUTS) {
        float block = 0;
        for (size_t i = begin; i < attention->width && i < begin + CK_BLOCK_INPUTS; i++)
          block = __builtin_fmaf(attention->q[r * attention->q_stride + i], attention->k[j * attention->k_stride + i],
                                 block);
        score = begin > 0 ? block + score : block;
      }
      scores[j] = score * attention->scale;
      highest = scores[j] > highest ? scores[j] : highest;
    }
    for (size_t j = 0; j < keys; j++) lanes[j % 16] += scores[j] = exponential(scores[j] - highest);
    float sum = total(lanes);
    for (size_t i = 0; i < attention->width; i++) {
      float value = 0;
      for (size_t begin = 0; begin < keys; begin += CK_BLOCK_INPUTS) {
        float block = 0;
        for (size_t j = begin; j < keys && j < begin + CK_BLOCK_INPUTS; j++)
          block = __builtin_fmaf(scores[j], attention->v[j * attention->v_stride + i], block);
        value = begin > 0 ? block + value : block;
      }
      attention->out[r * attention->out_stride + i] = value / sum;
    }
  }
}

static void layer_norm(const float *x, size_t x_stride, size_t rows, size_t columns, const float *_Nullable weight,
                       const float *_Nullable bias, double epsilon, float *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++, x += x_stride, out += out_stride) {
    struct lanes sum = {0}, squares = {0};
    for (size_t j = 0; j < columns; j++) sum.lane[j % 16] += (double)x[j];
    double mean = lanes_total(sum) / (double)columns;
    for (size_t j = 0; j < columns; j++) {
      out[j] = (float)((double)x[j] - mean);
      squares.lane[j % 16] += (double)out[j] * (double)out[j];
    }
    float factor = (float)(1 / __builtin_sqrt(lanes_total(squares) / (double)columns + epsilon));
    for (size_t j = 0; j < columns; j++)
      out[j] = __builtin_fmaf(out[j] * factor, weight ? weight[j] : 1, bias ? bias[j] : 0);
  }
}

const struct ck_product_table ck_products_scalar = {
    .name = "scalar",
    .panel_width = PANEL_WIDTH,
    .pack = pack,
    .multiply = multiply,
    .attend = attend,
    .layer_norm = layer_norm,
};

#pragma clang assume_nonnull end
