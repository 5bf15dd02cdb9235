#pragma once
#if __has_include(<protobuf-c/protobuf-c.h>)
#include <protobuf-c/protobuf-c.h>
#else
#error "protobuf-c.h not found: apt-get install libprotobuf-c-dev"
#endif
