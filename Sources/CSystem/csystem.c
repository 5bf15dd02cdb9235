#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <stdio.h>

#ifdef __linux__
#include <fcntl.h>
int ck_renameat2(const char *from, const char *to, unsigned flags) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}
#else
int ck_renameat2(const char *from, const char *to, unsigned flags) {
  (void)from, (void)to, (void)flags;
  errno = ENOSYS;
  return -1;
}
#endif
