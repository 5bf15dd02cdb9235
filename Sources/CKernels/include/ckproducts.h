#pragma once
#include <stddef.h>
#include <stdint.h>

// Products of activations with constant weights, and what stands between them: activations, softmax, layer norms.
//
// Numbers are f32 unless said otherwise and begin at multiples of their size; matrices are row-major, strides count
// elements. An element of a result depends on its row and column alone: not on how many rows there are, which part or
// thread computed it, or the instruction set, all of which give the same bits (but for the payload of a NaN). Sums run
// over blocks of 256 inputs: within a block one fused multiply-add after the other, then block after block.
// No state is kept and nothing is allocated, so any thread may call anything.

/// The functions that a product may end with.
enum ck_activation {
  CK_IDENTITY,
  /// y·σ(1.702 y), within 2 ulp and what rounding 1.702 y does.
  CK_QUICK_GELU,
  /// y·Φ(y), exactly that one and not its approximations: within 3 ulp for y > -1, and within 4e-8 below.
  CK_GELU,
  /// y·σ(2√(2/π)(y + 0.044715 y³)), the approximation by tanh.
  CK_GELU_TANH,
  /// max(y, 0), after the residual was added. The other functions come before it.
  CK_RELU,
};

/// How packed weights are stored. 16-bit ones give the product of what they are as f32.
enum ck_storage { CK_F32, CK_F16, CK_BF16 };

/// out[r, o] = activation(Σ x[r, i]·w[o, i] + bias[o])·scale[o] + residual[r, o], for all rows r and outputs o.
struct ck_product {
  const float *_Nonnull x;
  size_t rows, x_stride, inputs;
  /// Panels of `panel_width` outputs, one after the other: w[first output + j, i] is element i·panel_width + j of its
  /// panel. The last panel is as large as the others; only `pack` knows what is beyond its outputs.
  const void *_Nonnull panels;
  enum ck_storage storage;
  size_t outputs;
  const float *_Nullable bias;
  enum ck_activation activation;
  const float *_Nullable scale;
  /// May be the output itself, with its stride.
  const float *_Nullable residual;
  size_t residual_stride;
  /// Overlaps neither x nor the weights.
  float *_Nonnull out;
  size_t out_stride;
};

/// Attention of one head in one sequence: out[i] = Σ_j softmax_j(scale · q[i]·k[j]) v[j].
struct ck_attention {
  /// [queries, width], [keys, width], [keys, width], [queries, width].
  const float *_Nonnull q, *_Nonnull k, *_Nonnull v;
  float *_Nonnull out;
  size_t q_stride, k_stride, v_stride, out_stride;
  size_t queries, keys, width;
  float scale;
  /// How many keys the first query sees, each further query one more, but all never more than `keys`: `keys` for
  /// attention to everything, position + 1 of the first query where only the past is seen.
  size_t first_visible;
};

/// The kernels of one instruction set.
struct ck_product_table {
  /// "scalar", "avx2", "avx512" or "neon".
  const char *_Nonnull name;
  /// Outputs in a panel.
  size_t panel_width;

  /// Writes the panel of `outputs` (at most `panel_width`) rows of `inputs` weights of `size` bytes, 2 or 4. `rows` and
  /// `panel` do not overlap; rows begin at every `stride`-th weight.
  void (*_Nonnull pack)(const void *_Nonnull rows, size_t stride, size_t outputs, size_t inputs, size_t size,
                        void *_Nonnull panel);
  /// Computes part `part` of a product; see `ck_product_parts`. Uses 100 KB of stack.
  void (*_Nonnull multiply)(const struct ck_product *_Nonnull product, size_t part);
  /// Computes attention; `workspace` has room for `ck_attention_workspace` numbers, begins at a multiple of 64 bytes
  /// and overlaps nothing else.
  void (*_Nonnull attend)(const struct ck_attention *_Nonnull attention, float *_Nonnull workspace);
  /// out = (x - mean)/√(variance + epsilon)·weight + bias for each of `rows` rows; `out` may be `x` with its stride.
  /// Mean and variance are summed in f64.
  void (*_Nonnull layer_norm)(const float *_Nonnull x, size_t x_stride, size_t rows, size_t columns,
                              const float *_Nullable weight, const float *_Nullable bias, double epsilon,
                              float *_Nonnull out, size_t out_stride);
};

/// How many parts a product has with panels of that width. They write different elements and may be computed in any
/// order, at the same time.
size_t ck_product_parts(const struct ck_product *_Nonnull product, size_t panel_width);

/// How many numbers the workspace of an attention holds.
size_t ck_attention_workspace(size_t keys, size_t width, size_t panel_width);

/// The kernels of a level, as `ck_kernels` counts them.
const struct ck_product_table *_Nonnull ck_product_kernels(int level);

/// Tells the processor that a loop waits for another thread.
static inline void ck_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}
