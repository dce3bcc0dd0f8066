/* Adam: Kingma & Ba 2015, with AMSGrad: Reddi, Kale & Kumar 2018. AdamW: Loshchilov & Hutter 2019, whose decay goes past the
 * averages, straight to the weights. */
#include <math.h>

#include "optim/kernel_update.h"
#include "optim/optimizer_fields.h"

extern const OptimizerType optimizer_adam, optimizer_adamw;

#define OPTION_BETAS                                                                                                           \
    {                                                                                                                          \
        .name = "betas", .type = FIELD_JSON, .offset = offsetof(OptimizerOptions, betas_json), .standard = "[0.9, 0.999]",     \
        .help = "decay of the averages of the gradient and of its square"                                                      \
    }

#define ADAM_FIELDS(weight_decay)                                                                                              \
    {                                                                                                                          \
        OPTION_LR("0.001"), OPTION_BETAS, OPTION_EPS("1e-08"), weight_decay,                                                   \
            OPTION_FLAG(amsgrad, "divide by the largest average so far"), OPTION_MAXIMIZE, OPTIONS_END                         \
    }

static const Field adam_fields[] = ADAM_FIELDS(OPTION_L2);
static const Field adamw_fields[] = ADAM_FIELDS(OPTION_WEIGHT_DECAY("0.01", "part of each weight taken off, times the rate"));

enum { AVERAGE, SQUARE, LARGEST };

static bool keeps(const OptimizerOptions *options, int state)
{
    return state != LARGEST || options->amsgrad;
}

/* The divisor is eps at least. */
static void bound_adam(const Update *u, double gradient, UpdateBound *b)
{
    b->state[AVERAGE] = fmax(b->state[AVERAGE], gradient);
    b->state[SQUARE] = fmax(b->state[SQUARE], gradient * gradient);
    b->state[LARGEST] = fmax(b->state[LARGEST], b->state[SQUARE]);
    b->x += fabs(u->lr) / (1 - u->options->betas[0]) * b->state[AVERAGE] / (double)(float)u->options->eps;
}

static void bound_adamw(const Update *u, double gradient, UpdateBound *b)
{
    b->x *= fmax(1, fabs(1 - u->lr * u->options->weight_decay));
    bound_adam(u, gradient, b);
}

const OptimizerType optimizer_adam = {
    .name = "adam",
    .help = "adaptive moments",
    .fields = adam_fields,
    .state_names = {[AVERAGE] = "exp_avg", [SQUARE] = "exp_avg_sq", [LARGEST] = "max_exp_avg_sq"},
    .state_roles = {[AVERAGE] = STATE_MOMENTUM, [SQUARE] = STATE_SECOND_MOMENT, [LARGEST] = STATE_SECOND_MOMENT},
    .keeps = keeps,
    .update = FLOAT_KERNEL_TABLE(update_adam),
    .bound = bound_adam,
};

const OptimizerType optimizer_adamw = {
    .name = "adamw",
    .help = "adaptive moments, weight decay decoupled",
    .fields = adamw_fields,
    .state_names = {[AVERAGE] = "exp_avg", [SQUARE] = "exp_avg_sq", [LARGEST] = "max_exp_avg_sq"},
    .state_roles = {[AVERAGE] = STATE_MOMENTUM, [SQUARE] = STATE_SECOND_MOMENT, [LARGEST] = STATE_SECOND_MOMENT},
    .keeps = keeps,
    .update = FLOAT_KERNEL_TABLE(update_adamw),
    .bound = bound_adamw,
    .decays_apart = true,
};
