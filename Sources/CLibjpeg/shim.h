#pragma once
#if __has_include(<jpeglib.h>)
#include <stdio.h>
#include <jpeglib.h>
#else
#error "jpeglib.h not found: apt-get install libjpeg62-turbo-dev"
#endif
