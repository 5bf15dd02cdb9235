// The vector kernels for processors with avx2, f16c, fma.
#if defined(__x86_64__)
#define CK_PANEL_VECTORS 1
#pragma clang attribute push(__attribute__((target("avx2,f16c,fma"))), apply_to = function)
// Vectors wider than the registers are passed to functions that are always inlined only, which no ABI concerns.
#pragma clang diagnostic ignored "-Wpsabi"
#include "vector_attention.h"
#include "vector_blocks.h"
#include "vector_casts.h"
#include "vector_norms.h"
#include "vector_reductions.h"
#pragma clang attribute pop

#define CK_TABLE ck_avx2
#define CK_NAME "avx2"
#define CK_PRODUCTS ck_products_avx2
#include "vector_table.h"
#include "vector_product_table.h"
#endif
