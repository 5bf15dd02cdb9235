#include "internal.h"

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

const struct ck_kernel_table *ck_kernels(int level) {
#if defined(__x86_64__)
  static const struct ck_kernel_table *const tables[] = {&ck_scalar, &ck_avx2, &ck_avx512};
#elif defined(__aarch64__)
  static const struct ck_kernel_table *const tables[] = {&ck_scalar, &ck_neon};
#else
  static const struct ck_kernel_table *const tables[] = {&ck_scalar};
#endif
  int highest = ck_level_count() - 1;
  return tables[level < 0 ? 0 : level > highest ? highest : level];
}
