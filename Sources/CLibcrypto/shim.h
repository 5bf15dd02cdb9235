#pragma once
#if __has_include(<openssl/evp.h>)
#include <openssl/evp.h>
#else
#error "openssl/evp.h not found: apt-get install libssl-dev"
#endif
