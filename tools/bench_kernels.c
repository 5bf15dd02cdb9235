// Throughput of the kernels at every level of this machine, in L2: `tools/bench kernels`.
// Each line is the best of many runs, in GB/s of the f32 (or of the scanned) side; comparisons read two runs.
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ckernels.h"

enum { N = 1 << 16 };
static float a[N], b[N], f32[N];
static char out[N * 8];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#define TIME(name, bytes, call)                                          \
  do {                                                                   \
    double best = INFINITY;                                              \
    for (int run = 0; run < 200; run++) {                                \
      double start = now();                                              \
      for (int i = 0; i < 10; i++) call;                                 \
      double elapsed = (now() - start) / 10;                             \
      if (elapsed < best) best = elapsed;                                \
    }                                                                    \
    printf("  %-12s %7.1f GB/s\n", name, 1e-9 * (double)(bytes) / best); \
  } while (0)

int main(void) {
  for (int i = 0; i < N; i++) {
    double sum = -6;
    for (int j = 0; j < 12; j++) sum += (double)rand() / RAND_MAX;
    a[i] = (float)(0.02 * sum);  // about normal, as weights are
    b[i] = a[i] * 1.0001f;
  }
  for (int level = 0; level < ck_level_count(); level++) {
    const struct ck_kernel_table *kernels = ck_kernels(level);
    struct ck_tally tally;
    struct ck_scan scan;
    struct ck_comparison comparison;
    struct ck_statistics statistics;
    printf("%s\n", kernels->name);
    TIME("f32 to f16", N * 4, kernels->f32_to_f16(a, out, N, &tally));
    TIME("f16 to f32", N * 4, kernels->f16_to_f32(out, f32, N));
    TIME("f32 to bf16", N * 4, kernels->f32_to_bf16(a, out, N, &tally));
    TIME("scan bf16", N * 2, kernels->scan_bf16(out, N, &scan));
    TIME("bf16 to f32", N * 4, kernels->bf16_to_f32(out, f32, N));
    TIME("f32 to q8_0", N * 4, kernels->f32_to_q8_0(a, out, N, &tally));
    TIME("q8_0 to f32", N * 4, kernels->q8_0_to_f32(out, f32, N));
    TIME("scan f32", N * 4, kernels->scan_f32(a, N, &scan));
    TIME("compare", N * 8, kernels->compare_f32(a, b, N, &comparison));
    TIME("describe", N * 4, kernels->describe_f32(a, N, &statistics));
  }
}
