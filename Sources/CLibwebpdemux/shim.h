#pragma once
#if __has_include(<webp/demux.h>)
#include <webp/demux.h>
#else
#error "webp/demux.h not found: apt-get install libwebp-dev"
#endif
