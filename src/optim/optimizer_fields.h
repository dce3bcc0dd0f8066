/* Options that several optimizers have, as rows of their field tables. */
#ifndef GRADTOOL_OPTIM_OPTIMIZER_FIELDS_H
#define GRADTOOL_OPTIM_OPTIMIZER_FIELDS_H

#include <stddef.h>

#include "optim/optimizer.h"

#define OPTION_NUMBER(key, default_text, range, words)                                                                         \
    {                                                                                                                          \
        .name = #key, .type = FIELD_NUMBER, .offset = offsetof(OptimizerOptions, key), .standard = default_text,               \
        .limit = range, .help = words                                                                                          \
    }

#define OPTION_FLAG(key, words)                                                                                                \
    {                                                                                                                          \
        .name = #key, .type = FIELD_BOOL, .offset = offsetof(OptimizerOptions, key), .standard = "false", .help = words        \
    }

#define OPTION_LR(default_text) OPTION_NUMBER(lr, default_text, FIELD_NOT_NEGATIVE, "learning rate")
#define OPTION_EPS(default_text) OPTION_NUMBER(eps, default_text, FIELD_NOT_NEGATIVE, "added to the divisor")
#define OPTION_WEIGHT_DECAY(default_text, words) OPTION_NUMBER(weight_decay, default_text, FIELD_NOT_NEGATIVE, words)
#define OPTION_L2 OPTION_WEIGHT_DECAY("0", "times the weight, added to the gradient")
#define OPTION_MOMENTUM OPTION_NUMBER(momentum, "0", FIELD_NOT_NEGATIVE, "part of the last update that is kept")
#define OPTION_MAXIMIZE OPTION_FLAG(maximize, "climb instead of descend")
#define OPTIONS_END                                                                                                            \
    {                                                                                                                          \
        .name = NULL                                                                                                           \
    }

#endif
