// The passes for processors with NEON, which all of this architecture have.
#if defined(__aarch64__)
#pragma clang diagnostic ignored "-Wpsabi"
#include "vector_resize.h"

const struct ci_passes ci_neon = {vector_rows, vector_columns};
#endif
