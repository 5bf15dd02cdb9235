#pragma once
#include <stdio.h>
#include <string.h>

#include "cimages.h"

static inline struct ci_outcome ci_failed(enum ci_reason reason, const char *message) {
  struct ci_outcome outcome = {.reason = reason};
  snprintf(outcome.message, sizeof outcome.message, "%s", message);
  return outcome;
}
