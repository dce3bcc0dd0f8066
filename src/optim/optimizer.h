/* Optimizers: torch.optim's formulas, defaults and names, one pass over each parameter.
 *
 * Clipping is folded in: the gradient that is used is g = coefficient * gradient. */
#ifndef GRADTOOL_OPTIM_OPTIMIZER_H
#define GRADTOOL_OPTIM_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/json.h"
#include "optim/schedule.h"
#include "tensor/parameter.h"
#include "tensor/variant.h"

enum { OPTIMIZER_MAX_STATES = 3 };

/* Every option of every optimizer; a row reads those that it names in its fields. */
typedef struct OptimizerOptions {
    double lr, momentum, dampening, weight_decay, alpha, eps, lr_decay, initial_accumulator_value;
    Json *betas_json; /* as written; checked and put into betas by optimizer.c */
    double betas[2];
    bool nesterov, amsgrad, centered, maximize;
} OptimizerOptions;

typedef struct UpdateStatistics {
    double update_square; /* sum of squares of x_after - x_before (float32 values) */
    double weight_square; /* sum of squares of x_before */
} UpdateStatistics;

/* One parameter's update of one step. state[i] has the parameter's size, or is NULL where it is not kept. */
typedef struct Update {
    const OptimizerOptions *options; /* with this group's merged values */
    double lr;                       /* after the schedule */
    int64_t step;                    /* updates of this parameter so far plus one: from 1 */
    double coefficient;              /* the gradient is multiplied by this first (clipping by the total norm) */
    size_t count;
    float *x;
    const float *gradient;
    float *state[OPTIMIZER_MAX_STATES];
    UpdateStatistics *statistics; /* NULL: not wanted */
} Update;

/* Never allocates, never fails. */
typedef void UpdateKernel(const Update *update);

/* No element of a parameter, or of a state of it, is larger in size. */
typedef struct UpdateBound {
    double x, state[OPTIMIZER_MAX_STATES];
} UpdateBound;
/* From what holds before an update, what holds after it where no element of the gradient is larger than `gradient`; the
 * coefficient and coupled weight decay are in that. Infinite or NaN where nothing can be said: a divisor may be zero. */
typedef void BoundRule(const Update *update, double gradient, UpdateBound *bound);

typedef enum StateRole { STATE_OTHER, STATE_MOMENTUM, STATE_SECOND_MOMENT } StateRole;

typedef struct OptimizerType {
    const char *name;
    const char *help;
    const Field *fields;                           /* into OptimizerOptions */
    const char *state_names[OPTIMIZER_MAX_STATES]; /* as in torch's state_dict: "exp_avg", "momentum_buffer" */
    StateRole state_roles[OPTIMIZER_MAX_STATES];
    bool decays_apart;                                         /* weight decay goes to the weights, not into the gradient */
    bool (*keeps)(const OptimizerOptions *options, int state); /* whether that state is kept; called for named states */
    double (*initial)(const OptimizerOptions *options);        /* value of state 0 before the first step; NULL: zero */
    const char *(*objection)(const OptimizerOptions *options); /* why these options do not go together, or NULL; may be NULL */
    UpdateKernel *update[VARIANT_COUNT];
    BoundRule *bound;
} OptimizerType;

extern const OptimizerType *const optimizer_table[];
extern const int optimizer_count;

typedef struct Optimizer Optimizer;

/* Reads the "optimizer" object (NULL, or without a type: sgd at 0.01). Groups are merged key by key, later matches win; a group
 * whose glob matches no weight is an error, unless there are none at all. State is allocated for all weights that are not
 * frozen; buffers have none. */
Optimizer *optimizer_new(Arena *arena, Json *object, Parameter *const parameters[], int count, Error *err);

/* Before the updates of step `step` (from 0): the schedule gives each group its rate from the group's own lr. */
void optimizer_start_step(Optimizer *optimizer, const Schedule *schedule, int64_t step);

/* Updates parameter `index`. Call once a step for each parameter that has a gradient; one that is frozen is left alone.
 * Different parameters may be updated by different threads at once. */
void optimizer_update(Optimizer *optimizer, int index, const float *gradient, double coefficient, UpdateStatistics *statistics);

/* The next update of a parameter, without its gradient: options, this step's rate, weights and state. False where it does not
 * learn. */
bool optimizer_next(const Optimizer *optimizer, int index, Update *update);

/* Whether the next updates of all parameters, and of their states, are sure to stay finite for a gradient of that 2-norm (times
 * the coefficient, over all of them). Bounds are carried from update to update, so that this is next to nothing; the numbers
 * themselves are looked at where the bounds do not tell. To be asked before every step's updates, after optimizer_start_step.
 */
bool optimizer_is_safe(Optimizer *optimizer, double gradient_norm);

/* Weights or state were written by somebody else. */
void optimizer_forget_bounds(Optimizer *optimizer);

const OptimizerType *optimizer_type(const Optimizer *optimizer);
double optimizer_base_lr(const Optimizer *optimizer);
const char *optimizer_name(const Optimizer *optimizer);
/* Bytes of state. */
size_t optimizer_bytes(const Optimizer *optimizer);

/* All that must be saved to go on exactly, as named tensors: "fc1.weight.exp_avg", ..., and the counter "fc1.weight.step".
 * Loading into them (tensor_file_load) restores the optimizer. */
Parameter *const *optimizer_state(const Optimizer *optimizer, int *count);

#endif
