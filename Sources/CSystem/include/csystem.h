#pragma once

// System calls that the Glibc module of Swift does not show, because they need _GNU_SOURCE.

/// renameat2(2) relative to the working directory. Returns 0, or -1 with errno set.
int ck_renameat2(const char *_Nonnull from, const char *_Nonnull to, unsigned flags);
