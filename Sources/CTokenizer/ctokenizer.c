#include "ctokenizer.h"

// Part of the binary, so that it works wherever the binary is moved.
static const _Alignas(4) unsigned char merges[] = {
#embed "merges.txt"
};

static const _Alignas(4) unsigned char unicode[] = {
#embed "unicode.bin"
};

static const _Alignas(4) unsigned char entities[] = {
#embed "entities.txt"
};

static const _Alignas(4) unsigned char ftfy[] = {
#embed "ftfy.txt"
};

struct ck_data ck_merges(void) { return (struct ck_data){merges, sizeof merges}; }
struct ck_data ck_unicode(void) { return (struct ck_data){unicode, sizeof unicode}; }
struct ck_data ck_entities(void) { return (struct ck_data){entities, sizeof entities}; }
struct ck_data ck_ftfy(void) { return (struct ck_data){ftfy, sizeof ftfy}; }
