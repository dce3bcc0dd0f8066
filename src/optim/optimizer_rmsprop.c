/* RMSprop: Tieleman & Hinton 2012, lecture 6.5; centred: Graves 2013, "Generating sequences with recurrent neural networks". */
#include <math.h>

#include "optim/kernel_update.h"
#include "optim/optimizer_fields.h"

extern const OptimizerType optimizer_rmsprop;

static const Field fields[] = {
    OPTION_LR("0.01"),   OPTION_NUMBER(alpha, "0.99", FIELD_NOT_NEGATIVE, "decay of the average of squares"),
    OPTION_EPS("1e-08"), OPTION_L2,
    OPTION_MOMENTUM,     OPTION_FLAG(centered, "divide by the deviation instead of the root mean square"),
    OPTION_MAXIMIZE,     OPTIONS_END,
};

enum { SQUARE, BUFFER, MEAN };

static bool keeps(const OptimizerOptions *options, int state)
{
    return state == SQUARE || (state == BUFFER && options->momentum > 0) || (state == MEAN && options->centered);
}

/* The divisor is eps at least; of the deviation, rounding may take the root of a negative number. */
static void bound(const Update *u, double gradient, UpdateBound *b)
{
    const OptimizerOptions *o = u->options;
    double step = gradient / (double)(float)o->eps;
    b->state[SQUARE] = fmax(b->state[SQUARE], gradient * gradient);
    if (u->state[BUFFER])
        step = b->state[BUFFER] = o->momentum * b->state[BUFFER] + step;
    b->state[MEAN] = u->state[MEAN] ? INFINITY : 0;
    b->x += fabs(u->lr) * step;
}

const OptimizerType optimizer_rmsprop = {
    .name = "rmsprop",
    .help = "gradient over its running root mean square",
    .fields = fields,
    .state_names = {[SQUARE] = "square_avg", [BUFFER] = "momentum_buffer", [MEAN] = "grad_avg"},
    .state_roles = {[SQUARE] = STATE_SECOND_MOMENT, [BUFFER] = STATE_MOMENTUM},
    .keeps = keeps,
    .update = FLOAT_KERNEL_TABLE(update_rmsprop),
    .bound = bound,
};
