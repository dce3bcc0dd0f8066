/* Stochastic gradient descent. Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning". */
#include <math.h>

#include "optim/kernel_update.h"
#include "optim/optimizer_fields.h"

extern const OptimizerType optimizer_sgd;

static const Field fields[] = {
    OPTION_LR("0.001"),
    OPTION_MOMENTUM,
    OPTION_NUMBER(dampening, "0", FIELD_ANY, "part of the gradient kept from the momentum"),
    OPTION_L2,
    OPTION_FLAG(nesterov, "look ahead along the momentum"),
    OPTION_MAXIMIZE,
    OPTIONS_END,
};

static bool keeps(const OptimizerOptions *options, int state)
{
    (void)state;
    return options->momentum != 0;
}

static const char *objection(const OptimizerOptions *options)
{
    bool possible = !options->nesterov || (options->momentum > 0 && options->dampening == 0);
    return possible ? NULL : "nesterov needs a momentum above 0 and a dampening of 0";
}

static void bound(const Update *u, double gradient, UpdateBound *b)
{
    const OptimizerOptions *o = u->options;
    double step = gradient;
    if (u->state[0]) {
        b->state[0] = fmax(gradient, fabs(o->momentum) * b->state[0] + fabs(1 - o->dampening) * gradient);
        step = o->nesterov ? gradient + o->momentum * b->state[0] : b->state[0];
    }
    b->x += fabs(u->lr) * step;
}

const OptimizerType optimizer_sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent, with momentum",
    .fields = fields,
    .state_names = {"momentum_buffer"},
    .state_roles = {STATE_MOMENTUM},
    .keeps = keeps,
    .objection = objection,
    .update = FLOAT_KERNEL_TABLE(update_sgd),
    .bound = bound,
};
