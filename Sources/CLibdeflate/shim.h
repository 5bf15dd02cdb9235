#pragma once
#if __has_include(<libdeflate.h>)
#include <libdeflate.h>
#else
#error "libdeflate.h not found: apt-get install libdeflate-dev"
#endif
