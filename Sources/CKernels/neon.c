// The vector kernels for 64-bit ARM, where NEON and its f16 conversions are always there.
#if defined(__aarch64__)
#define CK_PANEL_VECTORS 1
#include "vector_attention.h"
#include "vector_blocks.h"
#include "vector_casts.h"
#include "vector_norms.h"
#include "vector_reductions.h"

#define CK_TABLE ck_neon
#define CK_NAME "neon"
#define CK_PRODUCTS ck_products_neon
#include "vector_table.h"
#include "vector_product_table.h"
#endif
