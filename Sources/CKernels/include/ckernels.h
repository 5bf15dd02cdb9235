#pragma once
#include <stddef.h>
#include <stdint.h>

// Inner loops over runs of numbers; products of matrices are in ckproducts.h.
//
// Common to all: values are little-endian and may begin at any address. `n` counts elements, is at most 2^32, and a
// multiple of 32 for block types. Input and output must not overlap. No state is kept and nothing is allocated, so any
// thread may call anything. Every kernel gives the same bits at every level, except for the payload of a NaN that
// arithmetic (not a cast) produced.

/// What a lossy cast did to one run. Errors are |out - in| over elements where both are finite.
struct ck_tally {
  /// Inputs that are NaN or infinite, and the index in the run of the first (0 if there is none).
  uint64_t nonfinite, first_nonfinite;
  /// Finite inputs whose output is not finite.
  uint64_t overflow;
  /// Inputs other than zero whose output is zero.
  uint64_t underflow;
  /// The largest error, computed in the input's type.
  double max_absolute;
  /// The largest error / |in| over inputs other than zero, computed in the input's type: 1 for a value that became
  /// zero, and large too for one that became subnormal.
  double max_relative;
  /// Sums of in² and of error² over finite inputs with finite outputs; zero unless the output is a block type.
  double signal, noise;
};

/// How many elements of a run are NaN or infinite, and the index of the first (0 if there is none).
struct ck_scan {
  uint64_t nonfinite, first_nonfinite;
};

/// How two runs differ. Equal infinities, and a NaN beside a NaN, differ by nothing.
struct ck_comparison {
  /// Elements with a != b as numbers (so -0 equals 0), among them the `nan_mismatch` where one alone is NaN.
  uint64_t differing, nan_mismatch;
  /// The largest |a - b| where neither is NaN (rounded once, to double), and the lowest index where it occurs.
  double max_absolute;
  uint64_t max_index;
  /// The largest finite |a|.
  double max_magnitude;
  /// Sums of a·b, a², b² and (a - b)² over elements where both are finite. Element i is added to partial sum i % 16,
  /// and these are added pairwise (8 apart, then 4, 2, 1), all in double.
  double ab, aa, bb, dd;
};

/// What is in a run.
struct ck_statistics {
  uint64_t zeros, nan, positive_infinity, negative_infinity;
  /// Of the finite elements; min = +Inf and max = -Inf if there is none. Zero is never negative here.
  double min, max;
  /// Sums over finite elements, in the order of `ck_comparison`: of x, and of (x - mean)², where the mean is sum ÷ their
  /// number. A sum of x² would cancel where the mean is large.
  double sum, deviations;
};

/// Reads n elements of `in`, writes n elements to `out`: exact, or rounded as ggml does for block types.
/// A signalling NaN becomes quiet, except from bf16, whose bits become the upper half of the f32.
typedef void ck_widen(const void *_Nonnull in, void *_Nonnull out, size_t n);

/// Reads n elements of `in`, writes n elements to `out`, each rounded to nearest, ties to even, and sets `tally`.
/// A NaN stays one: sign and upper payload bits are kept, and it becomes quiet.
typedef void ck_narrow(const void *_Nonnull in, void *_Nonnull out, size_t n, struct ck_tally *_Nonnull tally);

/// Sets `scan` for the n elements of `in`.
typedef void ck_scanner(const void *_Nonnull in, size_t n, struct ck_scan *_Nonnull scan);

/// Sets `comparison` for the n elements of `a` and of `b`, which may be the same.
typedef void ck_compare(const void *_Nonnull a, const void *_Nonnull b, size_t n,
                        struct ck_comparison *_Nonnull comparison);

/// Sets `statistics` for the n elements of `in`.
typedef void ck_describe(const void *_Nonnull in, size_t n, struct ck_statistics *_Nonnull statistics);

/// The kernels of one instruction set.
struct ck_kernel_table {
  /// "scalar", "avx2", "avx512" or "neon".
  const char *_Nonnull name;

  ck_widen *_Nonnull f16_to_f32;
  ck_widen *_Nonnull bf16_to_f32;
  ck_widen *_Nonnull f32_to_f64;
  /// Blocks of 32: f16 d, then 32 × int8 q. Value = q·d in f32.
  ck_widen *_Nonnull q8_0_to_f32;
  /// f16 d, 16 bytes with q[i] in the low and q[i + 16] in the high half. Value = (q - 8)·d in f32.
  ck_widen *_Nonnull q4_0_to_f32;
  /// f16 d, f16 m, 16 bytes as in q4_0. Value = q·d + m in f32, rounded after each operation.
  ck_widen *_Nonnull q4_1_to_f32;
  /// f16 d, uint32 with the fifth bit of each q, 16 bytes as in q4_0. Value = (q - 16)·d in f32.
  ck_widen *_Nonnull q5_0_to_f32;
  /// f16 d, f16 m, fifth bits, 16 bytes. Value = q·d + m in f32, rounded after each operation.
  ck_widen *_Nonnull q5_1_to_f32;

  ck_narrow *_Nonnull f32_to_f16;
  ck_narrow *_Nonnull f32_to_bf16;
  /// d = max|x| / 127 and 1/d in f32, q = x·(1/d) rounded half away from zero, d stored as f16. q = 0 throughout when
  /// 1/d is not finite. A block with a NaN has d = 0x7E00 and q = 0, one with an infinity d = infinity and q = 0.
  ck_narrow *_Nonnull f32_to_q8_0;
  ck_narrow *_Nonnull f64_to_f32;
  /// Rounded once, as if to unbounded precision first.
  ck_narrow *_Nonnull f64_to_f16;
  /// Rounded once.
  ck_narrow *_Nonnull f64_to_bf16;

  ck_scanner *_Nonnull scan_f16;
  ck_scanner *_Nonnull scan_bf16;
  ck_scanner *_Nonnull scan_f32;
  ck_scanner *_Nonnull scan_f64;

  ck_compare *_Nonnull compare_f32;
  ck_compare *_Nonnull compare_f64;
  ck_describe *_Nonnull describe_f32;
  ck_describe *_Nonnull describe_f64;
};

/// How many levels this machine has: at least 1.
int ck_level_count(void);

/// The kernels of a level: 0 is the scalar reference, higher ones are faster. A level that this machine does not have
/// gives the nearest that it has.
const struct ck_kernel_table *_Nonnull ck_kernels(int level);
