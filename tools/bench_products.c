// Products and attention at CLIP's shapes, ours beside OpenBLAS, alternating: `tools/bench products`.
// Each figure is that of the four matrices of twelve blocks, with their own weights; bias and activation are left out.
// The columns of one thread count its processor time, so that they hold on a busy machine too.
#define _GNU_SOURCE
#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "ckernels.h"
#include "ckproducts.h"

enum { BLOCKS = 12, MATRICES = 4 * BLOCKS, ROUNDS = 9 };
static const struct ck_product_table *kernels;

static double now(unsigned threads) {
  struct timespec time;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *numbers(size_t count) {
  const size_t page = 2 << 20, bytes = (count * 4 + page - 1) / page * page;
  float *numbers = aligned_alloc(page, bytes);
  madvise(numbers, bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < count; i++) numbers[i] = (float)rand() / (float)RAND_MAX - 0.5f;
  return numbers;
}

// Threads that spin between products: what the package's team does while work follows work.
static struct {
  atomic_ulong number, next, idle;
  size_t parts;
  const struct ck_product *product;
} team;

static void take_parts(void) {
  for (size_t part; (part = atomic_fetch_add(&team.next, 1)) < team.parts;) kernels->multiply(team.product, part);
}

static void *help(void *_) {
  for (unsigned long seen = 0;;) {
    while (atomic_load(&team.number) == seen) ck_pause();
    seen = atomic_load(&team.number);
    take_parts();
    atomic_fetch_add(&team.idle, 1);
  }
  return _;
}

static void multiply(const struct ck_product *product, unsigned threads) {
  team.product = product;
  team.parts = ck_product_parts(product, kernels->panel_width);
  atomic_store(&team.next, 0);
  if (threads > 1) {
    atomic_store(&team.idle, 0);
    atomic_fetch_add(&team.number, 1);
  }
  take_parts();
  if (threads > 1) while (atomic_load(&team.idle) < threads - 1) ck_pause();
}

struct matrix {
  size_t outputs, inputs;
  float *rows, *panels;
};

static struct matrix matrix(size_t outputs, size_t inputs) {
  size_t width = kernels->panel_width, panels = (outputs + width - 1) / width;
  struct matrix matrix = {outputs, inputs, numbers(outputs * inputs), numbers(panels * width * inputs)};
  for (size_t first = 0; first < outputs; first += width)
    kernels->pack(matrix.rows + first * inputs, inputs, outputs - first < width ? outputs - first : width, inputs, 4,
                  matrix.panels + first * inputs);
  return matrix;
}

static double measure(int ours, unsigned threads, const struct matrix *matrices, size_t rows, const float *x,
                      float *out) {
  double start = now(threads);
  for (int i = 0; i < MATRICES; i++) {
    struct matrix m = matrices[i];
    if (ours) {
      struct ck_product product = {.x = x, .rows = rows, .x_stride = m.inputs, .inputs = m.inputs, .panels = m.panels,
                                   .outputs = m.outputs, .out = out, .out_stride = m.outputs};
      multiply(&product, threads);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)m.outputs, (int)m.inputs, 1, x,
                  (int)m.inputs, m.rows, (int)m.inputs, 0, out, (int)m.outputs);
    }
  }
  return now(threads) - start;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// The speed that fused multiply-adds alone reach on one thread: a product of one panel that stays in the cache.
static double ceiling(void) {
  struct matrix m = matrix(kernels->panel_width, 256);
  float *x = numbers(96 * 256), *out = numbers(96 * m.outputs);
  struct ck_product product = {.x = x, .rows = 96, .x_stride = 256, .inputs = 256, .panels = m.panels,
                               .outputs = m.outputs, .out = out, .out_stride = m.outputs};
  double best = INFINITY;
  for (int run = 0; run < 2000; run++) {
    double start = now(1);
    for (int i = 0; i < 10; i++) kernels->multiply(&product, 0);
    best = fmin(best, now(1) - start);
  }
  return 2e-9 * 10 * 96 * 256 * (double)m.outputs / best;
}

static void bench(size_t width, size_t rows, unsigned threads) {
  struct matrix matrices[MATRICES];
  for (int i = 0; i < MATRICES; i++) {
    const size_t shapes[4][2] = {{3 * width, width}, {width, width}, {4 * width, width}, {width, 4 * width}};
    matrices[i] = matrix(shapes[i % 4][0], shapes[i % 4][1]);
  }
  float *x = numbers(rows * 4 * width), *out = numbers(rows * 4 * width);
  double flop = 2.0 * (double)(rows * 12 * width * width) * BLOCKS, times[4][ROUNDS];
  for (int round = -1; round < ROUNDS; round++) {  // the first is not counted
    for (int i = 0; i < 4; i++) {
      unsigned team = i % 2 ? threads : 1;
      openblas_set_num_threads((int)team);
      double time = measure(i < 2, team, matrices, rows, x, out);
      if (round >= 0) times[i][round] = time;
    }
  }
  printf("%5zu %5zu", width, rows);
  for (int i = 0; i < 4; i++) {
    qsort(times[i], ROUNDS, sizeof(double), ascending);
    printf("  %6.0f %6.0f", 1e-9 * flop / times[i][ROUNDS / 2], 1e-9 * flop / times[i][0]);
  }
  printf("\n");
  fflush(stdout);
  for (int i = 0; i < MATRICES; i++) {
    free(matrices[i].rows);
    free(matrices[i].panels);
  }
  free(x);
  free(out);
}

/// Attention of one image or text on one thread, beside OpenBLAS's two products for each head without the softmax.
static void bench_attention(size_t tokens, size_t heads, size_t head_width) {
  size_t width = heads * head_width, stride = 3 * width;
  float *qkv = numbers(tokens * stride), *out = numbers(tokens * width), *scores = numbers(tokens * tokens);
  float *workspace = numbers(ck_attention_workspace(tokens, head_width, kernels->panel_width));
  double ours = INFINITY, theirs = INFINITY;
  openblas_set_num_threads(1);
  for (int round = 0; round < 20; round++) {
    double start = now(1);
    for (size_t head = 0; head < heads; head++) {
      const float *q = qkv + head * head_width;
      struct ck_attention attention = {.q = q, .k = q + width, .v = q + 2 * width, .out = out + head * head_width,
                                       .q_stride = stride, .k_stride = stride, .v_stride = stride, .out_stride = width,
                                       .queries = tokens, .keys = tokens, .width = head_width, .scale = 0.125f,
                                       .first_visible = tokens};
      kernels->attend(&attention, workspace);
    }
    ours = fmin(ours, now(1) - start);
    start = now(1);
    for (size_t head = 0; head < heads; head++) {
      const float *q = qkv + head * head_width;
      int n = (int)tokens, d = (int)head_width, step = (int)stride;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, d, 0.125f, q, step, q + width, step, 0, scores, n);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, d, n, 1, scores, n, q + 2 * width, step, 0,
                  out + head * head_width, (int)width);
    }
    theirs = fmin(theirs, now(1) - start);
  }
  printf("%5zu %5zu  %8.0f  %8.0f\n", width, tokens, 1e6 * ours, 1e6 * theirs);
  free(qkv);
  free(out);
  free(scores);
  free(workspace);
}

int main(int count, char **arguments) {
  unsigned threads = count > 1 ? (unsigned)atoi(arguments[1]) : 2;
  kernels = ck_product_kernels(ck_level_count() - 1);
  pthread_t thread;
  printf("ours: %s, %.0f GFLOP/s on one thread in the cache; OpenBLAS: %s\n", kernels->name, ceiling(),
         openblas_get_corename());
  for (unsigned i = 1; i < threads; i++) pthread_create(&thread, NULL, help, NULL);
  printf("GFLOP/s, median and best of %d       ours: 1, %u threads             OpenBLAS: 1, %u threads\n", ROUNDS,
         threads, threads);
  const size_t shapes[][2] = {{768, 50}, {768, 200}, {768, 800}, {768, 1600},
                              {512, 12}, {512, 77},  {512, 384}, {512, 2464}};
  for (int i = 0; i < 8; i++) bench(shapes[i][0], shapes[i][1], threads);
  printf("attention, µs on one thread: ours, OpenBLAS's products alone\n");
  const size_t heads[][3] = {{12, 8, 64}, {50, 12, 64}, {77, 8, 64}, {197, 12, 64}, {257, 16, 80}, {577, 16, 64}};
  for (int i = 0; i < 6; i++) bench_attention(heads[i][0], heads[i][1], heads[i][2]);
}
