// The vector kernels for 64-bit ARM, where NEON and its f16 conversions are always there.
#if defined(__aarch64__)
#include "vector_blocks.h"
#include "vector_casts.h"
#include "vector_reductions.h"

#define CK_TABLE ck_neon
#define CK_NAME "neon"
#include "vector_table.h"
#endif
