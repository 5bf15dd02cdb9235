#pragma once
#include <stddef.h>

/// The 48,894 merges of CLIP's byte-pair encoding in order of rank, UTF-8, one "left right" a line, each line ended by
/// a newline. Lives as long as the process.
const unsigned char *_Nonnull ck_merges(void);

/// The number of bytes at `ck_merges()`.
size_t ck_merges_size(void);
