/* Which part of an optimizer's formula took an element out of the finite numbers. */
#ifndef GRADTOOL_OPTIM_UPDATE_BLAME_H
#define GRADTOOL_OPTIM_UPDATE_BLAME_H

#include "optim/optimizer.h"

/* One element of an update, before and after it. */
typedef struct UpdateElement {
    double gradient; /* times the coefficient */
    double x_before, x_after;
    double state_before[OPTIMIZER_MAX_STATES], state_after[OPTIMIZER_MAX_STATES]; /* 0 where one is not kept */
} UpdateElement;

/* "gradient", "momentum", "second moment", "weight decay", "learning rate", or "weight" where it was not finite before.
 * `cause` becomes "overflow", "0 / 0", "division by zero", "sqrt of a negative number" or "non-finite input". Of the update,
 * the options, the rate, and which states are kept are read. */
const char *update_blame(const OptimizerType *type, const Update *update, const UpdateElement *element, const char **cause);

#endif
