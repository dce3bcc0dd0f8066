/* Hooks of a config: what watches a tensor while training runs, or changes it.
 *
 * On a layer's output and its gradient a hook is built into the training graph. On a parameter's gradient it is a small graph
 * of its own that runs once a step, on the unscaled gradient of the whole group, before it is measured and clipped. A list of
 * actions runs in order; an expression's value takes the tensor's place for those that follow. */
#ifndef GRADTOOL_TRAIN_HOOK_H
#define GRADTOOL_TRAIN_HOOK_H

#include "autograd/expression.h"
#include "autograd/replay.h"
#include "autograd/watch.h"
#include "base/error.h"
#include "base/json.h"
#include "nn/model.h"
#include "train/loss_scale.h"

typedef enum HookPlace { HOOK_GRAD, HOOK_OUTPUT, HOOK_OUTPUT_GRAD } HookPlace;

typedef struct HookSet HookSet;

/* What a hook saw in one step: the tensor that it was given (or, at a `log` after an expression, what had become of it). */
typedef struct HookReport {
    int64_t step;
    const char *on, *at;
    double min, max, norm;
    bool changed;
} HookReport;

/* Called with a tensor that `save` keeps. */
typedef bool HookSave(void *context, int64_t step, int64_t micro, const char *on, const char *at, Shape shape,
                      const float *values, Error *err);

/* Reads the config's "hooks" (NULL: none). Each entry is resolved to the parameters or layers that it names; one that matches
 * nothing is an error. NULL with errors. */
HookSet *hooks_read(Arena *arena, Json *array, const Model *model, Error *err);
bool hooks_are_empty(const HookSet *hooks);

/* The hooks on layers, as part of one training graph. */
typedef struct StepHooks StepHooks;
/* They change values in every layer, but only those in layers whose path begins with `net` ("" for all) are seen and reported.
 */
/* They see gradients without the loss scale. */
StepHooks *step_hooks_new(HookSet *hooks, const char *net, const LossScale *scale, Variant variant, Arena *arena);
/* A LayerHook whose context is the StepHooks. */
Node *step_hooks_on_output(void *context, const Layer *layer, Node *y);
/* Appends the nodes that must be readable after a run to roots[*count]; at most step_hooks_root_limit of them. */
int step_hooks_root_limit(const HookSet *hooks);
void step_hooks_roots(const StepHooks *step, Node *roots[], int *count);

/* Likewise the nodes that `stop_if_nonfinite` looks at; as many at most. */
void step_hooks_stops(const StepHooks *step, Node *roots[], int *count);

/* A step begins; a micro-batch of it has run; then, for each parameter with a gradient, its hooks; then the reports. */
void hooks_begin(HookSet *hooks);
bool hooks_ran(HookSet *hooks, const StepHooks *step, const Workspace *workspace, int64_t number, int64_t micro, HookSave *save,
               void *context, Error *err);
/* Compiles the parameter hooks; once, before the first step. */
bool hooks_compile(HookSet *hooks, const Model *model, Variant variant, Arena *arena, Error *err);
bool hooks_on_gradient(HookSet *hooks, int parameter, float *gradient, int64_t step, HookSave *save, void *context, Error *err);
/* Runs the hooks on one parameter's gradient again, node by node, from `gradient` before them; it is changed as they change it.
 * NULL where they make nothing that is not finite (or with an error). */
Replay *hooks_replay(const HookSet *hooks, const Model *model, int parameter, float *gradient, Variant variant, Arena *arena,
                     Error *err);
/* Report number `index` of the step, from 0; false when there are no more. */
bool hooks_report(const HookSet *hooks, int64_t step, int index, HookReport *report);
/* The hook that wants the training stopped, because it saw a value that is not finite; NULL: none. */
const char *hooks_stop(const HookSet *hooks);

#endif
