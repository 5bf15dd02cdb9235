// The vector kernels for processors with avx512f, avx512bw, avx512vl, avx512dq, avx2, f16c, fma.
#if defined(__x86_64__)
#define CK_PANEL_VECTORS 4
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,f16c,fma"))), apply_to = function)
#include "vector_attention.h"
#include "vector_blocks.h"
#include "vector_casts.h"
#include "vector_norms.h"
#include "vector_reductions.h"
#pragma clang attribute pop

#define CK_TABLE ck_avx512
#define CK_NAME "avx512"
#define CK_PRODUCTS ck_products_avx512
#include "vector_table.h"
#include "vector_product_table.h"
#endif
