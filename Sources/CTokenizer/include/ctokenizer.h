#pragma once
#include <stddef.h>

/// Bytes that live as long as the process, aligned to 4.
struct ck_data {
  const unsigned char *_Nonnull bytes;
  size_t count;
};

/// The 48,894 merges of CLIP's byte-pair encoding in order of rank, UTF-8, one "left right" a line, each line ended by
/// a newline.
struct ck_data ck_merges(void);

/// What Python and tokenizers say of every Unicode scalar; the README beside this file has the layout.
struct ck_data ck_unicode(void);

/// HTML's character references, one a line.
struct ck_data ck_entities(void);

/// What ftfy looks for and what it replaces, one a line.
struct ck_data ck_ftfy(void);
