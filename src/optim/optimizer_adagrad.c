/* Adagrad: Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning and stochastic optimization". */
#include <math.h>

#include "optim/kernel_update.h"
#include "optim/optimizer_fields.h"

extern const OptimizerType optimizer_adagrad;

static const Field fields[] = {
    OPTION_LR("0.01"),
    OPTION_NUMBER(lr_decay, "0", FIELD_NOT_NEGATIVE, "the rate is divided by 1 + lr_decay times the steps so far"),
    OPTION_L2,
    OPTION_NUMBER(initial_accumulator_value, "0", FIELD_NOT_NEGATIVE, "sum of squares at the start"),
    OPTION_EPS("1e-10"),
    OPTION_MAXIMIZE,
    OPTIONS_END,
};

static bool keeps(const OptimizerOptions *options, int state)
{
    (void)options, (void)state;
    return true;
}

static double initial(const OptimizerOptions *options)
{
    return options->initial_accumulator_value;
}

/* The divisor is eps at least. */
static void bound(const Update *u, double gradient, UpdateBound *b)
{
    b->state[0] += gradient * gradient;
    b->x += fabs(u->lr) * gradient / (double)(float)u->options->eps;
}

const OptimizerType optimizer_adagrad = {
    .name = "adagrad",
    .help = "gradient over the root of the sum of its squares so far",
    .fields = fields,
    .state_names = {"sum"},
    .state_roles = {STATE_SECOND_MOMENT},
    .keeps = keeps,
    .initial = initial,
    .update = FLOAT_KERNEL_TABLE(update_adagrad),
    .bound = bound,
};
