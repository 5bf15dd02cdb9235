#include "products.h"

int ck_level_count(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("f16c") || !__builtin_cpu_supports("fma")) return 1;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
    return 2;
  return 3;
#elif defined(__aarch64__)
  return 2;
#else
  return 1;
#endif
}

/// The nearest level that this machine has.
static int existing(int level) {
  int highest = ck_level_count() - 1;
  return level < 0 ? 0 : level > highest ? highest : level;
}

const struct ck_kernel_table *ck_kernels(int level) {
#if defined(__x86_64__)
  static const struct ck_kernel_table *const tables[] = {&ck_scalar, &ck_avx2, &ck_avx512};
#elif defined(__aarch64__)
  static const struct ck_kernel_table *const tables[] = {&ck_scalar, &ck_neon};
#else
  static const struct ck_kernel_table *const tables[] = {&ck_scalar};
#endif
  return tables[existing(level)];
}

const struct ck_product_table *ck_product_kernels(int level) {
#if defined(__x86_64__)
  static const struct ck_product_table *const tables[] = {&ck_products_scalar, &ck_products_avx2, &ck_products_avx512};
#elif defined(__aarch64__)
  static const struct ck_product_table *const tables[] = {&ck_products_scalar, &ck_products_neon};
#else
  static const struct ck_product_table *const tables[] = {&ck_products_scalar};
#endif
  return tables[existing(level)];
}

size_t ck_product_parts(const struct ck_product *product, size_t panel_width) {
  size_t tiles = divide_up(product->rows, CK_TILE_ROWS);
  return divide_up(tiles, CK_PART_TILES) * divide_up(product->outputs, panel_width);
}

size_t ck_attention_workspace(size_t keys, size_t width, size_t panel_width) {
  float origin;
  struct attention_areas areas = attention_areas(&origin, keys, width, panel_width);
  return (size_t)(areas.scores - &origin) + CK_SCORE_ROWS * areas.score_stride;
}
