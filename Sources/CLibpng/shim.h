#pragma once
#if __has_include(<png.h>)
#include <png.h>
#else
#error "png.h not found: apt-get install libpng-dev"
#endif
