#include "ctokenizer.h"

// Part of the binary, so that it works wherever the binary is moved.
static const unsigned char merges[] = {
#embed "merges.txt"
};

const unsigned char *ck_merges(void) { return merges; }
size_t ck_merges_size(void) { return sizeof merges; }
