/* The formulas of the kernels, in double: what would not fit a float is what is looked for. */
#include "optim/update_blame.h"

#include <math.h>

static bool fits(double value)
{
    return isfinite((float)value);
}

/* The divisor is the root of the last second moment that is kept, maybe less the square of a mean, plus eps. */
static bool is_divisor_bad(const OptimizerType *type, const Update *u, const UpdateElement *e, double gradient,
                           const char **cause)
{
    const double above = type->state_roles[0] == STATE_MOMENTUM ? e->state_after[0] : gradient;
    double square = INFINITY, mean = 0;
    for (int i = 0; i < OPTIMIZER_MAX_STATES; i++) {
        if (u->state[i] && type->state_roles[i] == STATE_SECOND_MOMENT)
            square = e->state_after[i];
        if (u->state[i] && type->state_roles[i] == STATE_OTHER)
            mean = e->state_after[i];
    }
    square = (double)(float)(square - mean * mean);
    *cause = square < 0 ? "sqrt of a negative number" : above == 0 ? "0 / 0" : "division by zero";
    return square < 0 || (square == 0 && (float)u->options->eps == 0);
}

const char *update_blame(const OptimizerType *type, const Update *u, const UpdateElement *e, const char **cause)
{
    const OptimizerOptions *o = u->options;
    const double decay = o->weight_decay, gradient = e->gradient + (type->decays_apart ? 0 : decay * e->x_before);
    const bool has_momentum = type->state_roles[0] == STATE_MOMENTUM && u->state[0];
    *cause = "non-finite input";
    if (!isfinite(e->x_before))
        return "weight";
    if (!isfinite(e->gradient))
        return "gradient";
    if (is_divisor_bad(type, u, e, gradient, cause))
        return "second moment";
    *cause = "overflow";
    if (!fits(gradient) || (type->decays_apart && !fits(e->x_before * (1 - u->lr * decay))))
        return "weight decay";
    for (int role = STATE_SECOND_MOMENT; role >= STATE_MOMENTUM; role--)
        for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
            if (u->state[i] && type->state_roles[i] == (StateRole)role && !isfinite(e->state_after[i]))
                return role == STATE_MOMENTUM ? "momentum" : "second moment";
    if (has_momentum && !fits(u->lr * e->state_after[0]) && fits(u->lr * gradient))
        return "momentum";
    return "learning rate";
}
