/* Checks of the data's values against what model and loss take: kernels cannot fail, so it is done before training. */
#ifndef GRADTOOL_TRAIN_DATA_CHECK_H
#define GRADTOOL_TRAIN_DATA_CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "data/dataset.h"

/* Inputs must be whole numbers from 0 to `tokens` - 1. The error names the first sample with another; samples count from 0.
 * `what` is "training" or "validation", `place` where the config names the data. */
bool data_check_tokens(const Dataset *data, const char *what, int tokens, const Json *place, Error *err);
/* Targets must be whole numbers below `classes`; negative ones stand for positions that the loss ignores. */
bool data_check_classes(const Dataset *data, const char *what, int classes, const Json *place, Error *err);

#endif
