/* One update: the gradients of a net's weights are hooked, measured and clipped, and the weights change. */
#include <math.h>
#include <string.h>

#include "tensor/statistics.h"
#include "tensor/unscale.h"
#include "train/nonfinite.h"
#include "train/trainer_internal.h"
#include "train/update_guard.h"

/* Copies buffers (running statistics) aside, or back where an update is not made. */
static void keep_buffers(Trainer *t, bool back)
{
    float *at = t->buffers;
    for (int i = 0; t->buffer_count && i < t->config->model->states; i++) {
        Parameter *p = t->config->model->state[i];
        if (p->kind != PARAMETER_BUFFER)
            continue;
        size_t count = shape_count(p->shape);
        memcpy(back ? p->data : at, back ? at : p->data, sizeof(float) * count);
        at += count;
    }
}

void trainer_swap_buffers(Trainer *t)
{
    float *at = t->buffers;
    for (int i = 0; t->buffer_count && i < t->config->model->states; i++) {
        const Parameter *p = t->config->model->state[i];
        size_t count = p->kind == PARAMETER_BUFFER ? shape_count(p->shape) : 0;
        for (size_t k = 0; k < count; k++) {
            float now = p->data[k];
            p->data[k] = *at;
            *at++ = now;
        }
    }
}

void trainer_count_batch(const Trainer *t, int64_t by)
{
    const Model *model = t->config->model;
    for (int i = 0; i < model->states; i++)
        model->state[i]->counter += model->state[i]->kind == PARAMETER_COUNTER ? by : 0;
}

void trainer_run_graph(Trainer *t, const StepGraph *g, const Share *share, bool measured, StepReport *report)
{
    if (g->factor)
        *g->factor = (float)share->loss;
    if (g->penalty_factor)
        *g->penalty_factor = (float)share->penalty;
    if (g->scale)
        *g->scale = scaler_scale(t->scaler);
    if (g->inverse_scale)
        *g->inverse_scale = scaler_inverse(t->scaler);
    workspace_context(g->workspace)->step = t->runs++;
    plan_run(g->plan, g->workspace, t->threads);
    t->ran = g;
    report->loss += (double)*g->sum * share->loss;
    if (g->penalty_sum) {
        double penalty = (double)*g->penalty_sum * share->penalty;
        report->loss += penalty;
        report->penalty += penalty;
        report->penalty_norm += (double)*g->penalty_norm_sum / (double)share->rows;
        report->has_penalty = true;
    }
    trainer_count_batch(t, 1);
    if (measured && t->observer->ran)
        t->observer->ran(t->observer->context, &g->view);
}

static double total_norm(const Trainer *t)
{
    double total = 0;
    for (int i = 0; i < t->config->model->parameters; i++)
        total += t->gradient[i] ? t->square[i] : 0;
    return sqrt(total);
}

/* What a pass over the net's weights does with one of them. */
typedef void WeightWork(Trainer *t, int index);

typedef struct Pass {
    Trainer *trainer;
    WeightWork *work;
    size_t total;
} Pass;

/* Weights are dealt to threads in order, by where their middle falls. Each is done by one thread, so the bits stay the same. */
static void pass_work(void *context, int thread, int threads)
{
    const Pass *pass = context;
    const Model *model = pass->trainer->config->model;
    const ModelNet *net = pass->trainer->net;
    size_t before = 0;
    for (int i = net->parameter; i < net->parameter + net->parameters; i++) {
        size_t count = shape_count(model->parameter[i]->shape);
        size_t owner = (before + count / 2) * (size_t)threads / (pass->total + 1);
        if ((int)owner == thread)
            pass->work(pass->trainer, i);
        before += count;
    }
}

static void over_weights(Trainer *t, WeightWork *work)
{
    enum { WORTH_THREADS = 100000 };
    Pass pass = {.trainer = t, .work = work};
    for (int i = t->net->parameter; i < t->net->parameter + t->net->parameters; i++)
        pass.total += shape_count(t->config->model->parameter[i]->shape);
    if (t->threads && threads_count(t->threads) > 1 && pass.total >= WORTH_THREADS)
        threads_run(t->threads, pass_work, &pass);
    else
        pass_work(&pass, 0, 1);
}

static void square_weight(Trainer *t, int i)
{
    size_t count = shape_count(t->config->model->parameter[i]->shape);
    t->square[i] = t->gradient[i] ? statistics_square_sum(t->variant, t->gradient[i], NULL, count) : 0;
}

static void measure_weight(Trainer *t, int i)
{
    size_t count = shape_count(t->config->model->parameter[i]->shape);
    t->square[i] = t->observer->gradient(t->observer->context, i, t->gradient[i], t->gradient[i] ? count : 0);
}

double trainer_gradient_norm(Trainer *t)
{
    over_weights(t, square_weight);
    return total_norm(t);
}

double trainer_scale(const Trainer *t)
{
    return t->scaler ? (double)scaler_scale(t->scaler) : 1;
}

static void unscale_weight(Trainer *t, int i)
{
    size_t count = shape_count(t->config->model->parameter[i]->shape);
    t->is_finite[i] = !t->gradient[i] || unscale_values(t->variant, t->gradient[i], count, (double)scaler_inverse(t->scaler));
}

/* Divides the net's gradients by the loss scale. Returns whether one of them was not finite. */
static bool unscale_gradients(Trainer *t)
{
    bool found_inf = false;
    if (!t->scaler)
        return false;
    over_weights(t, unscale_weight);
    for (int i = t->net->parameter; i < t->net->parameter + t->net->parameters; i++)
        found_inf |= !t->is_finite[i];
    t->found_inf |= found_inf;
    return found_inf;
}

static HookSave *saver(const Trainer *t)
{
    return t->observer && t->is_reported ? t->observer->save : NULL;
}

static void *observer_context(const Trainer *t)
{
    return t->observer ? t->observer->context : NULL;
}

void trainer_begin_update(Trainer *t)
{
    keep_buffers(t, false);
    if (!hooks_are_empty(t->config->hooks))
        hooks_begin(t->config->hooks);
}

bool trainer_show_hooks(Trainer *t, const StepGraph *g, int64_t micro, Error *err)
{
    return !g->hooks ||
           hooks_ran(t->config->hooks, g->hooks, g->workspace, t->step + 1, micro, saver(t), observer_context(t), err);
}

/* Hooks on the gradients of the whole group, then the reports of all hooks. */
static bool apply_hooks(Trainer *t, Error *err)
{
    HookSet *hooks = t->config->hooks;
    HookReport report;
    for (int i = 0; i < t->config->model->parameters; i++)
        if (t->gradient[i] && !hooks_on_gradient(hooks, i, t->gradient[i], t->step + 1, saver(t), observer_context(t), err))
            return false;
    bool is_told = t->is_reported && t->observer && t->observer->hooked;
    for (int i = 0; is_told && hooks_report(hooks, t->step + 1, i, &report); i++)
        if (!t->observer->hooked(t->observer->context, &report, err))
            return false;
    return true;
}

static bool is_finite_update(const StepReport *report)
{
    return isfinite(report->loss) && isfinite(report->grad_norm);
}

/* What is to become of an update. Skips by the scaler are its way of working and no reason to stop. */
typedef enum Verdict { UPDATE_TAKEN, UPDATE_SKIPPED, UPDATE_SKIPPED_BY_SCALER, UPDATE_STOPS } Verdict;

static Verdict judge(const Trainer *t, const StepReport *report, bool found_inf)
{
    const int policy = t->config->train.nonfinite;
    if (!hooks_are_empty(t->config->hooks) && hooks_stop(t->config->hooks))
        return UPDATE_STOPS;
    if (found_inf)
        return UPDATE_SKIPPED_BY_SCALER;
    if (policy == NONFINITE_CONTINUE || is_finite_update(report))
        return UPDATE_TAKEN;
    return policy == NONFINITE_STOP ? UPDATE_STOPS : UPDATE_SKIPPED;
}

static const ClipResult *clip_gradients(Trainer *t, StepReport *report)
{
    report->clipped_norm = report->grad_norm;
    if (!t->config->clip)
        return NULL;
    const ClipResult *clip = clip_apply(t->config->clip, t->config->model->parameter, t->gradient, t->square);
    report->clipped_norm = clip->clipped_norm;
    return clip;
}

/* The factor that clipping by norm left for the optimizer, and whether the update is measured, stand in the trainer. */
static void update_weight(Trainer *t, int i)
{
    if (!t->gradient[i])
        return;
    double coefficient = t->clip ? t->clip->factor[i] : 1;
    optimizer_update(t->optimizer, i - t->net->parameter, t->gradient[i], coefficient,
                     t->measures_updates ? &t->update[i] : NULL);
}

/* What update_weight would have measured, had the step been taken with nothing to add. */
static void leave_weight(Trainer *t, int i)
{
    const Parameter *p = t->config->model->parameter[i];
    t->update[i] = (UpdateStatistics){.weight_square = statistics_square_sum(t->variant, p->data, NULL, shape_count(p->shape))};
}

/* Leaves what the forward passes changed as it was before the update. */
static void take_back(Trainer *t, int64_t micro_batches)
{
    keep_buffers(t, true);
    trainer_count_batch(t, -micro_batches);
}

/* Updates the weights. Where that might make values that are not finite, the state before it is kept, and looked at after. */
static bool update_guarded(Trainer *t, int64_t micro_batches, StepReport *report, Error *err)
{
    UpdateFault fault;
    const bool is_guarded = !optimizer_is_safe(t->optimizer, report->clipped_norm) && is_finite_update(report);
    if (is_guarded && !update_guard_keep(t, err))
        return false;
    over_weights(t, update_weight);
    if (!is_guarded || !update_guard_find(t, &fault))
        return true;
    const bool stops = t->config->train.nonfinite == NONFINITE_STOP;
    if (nonfinite_is_told(t, stops) && !nonfinite_tell_update(t, micro_batches, report, err))
        return false;
    if (t->config->train.nonfinite == NONFINITE_CONTINUE)
        return true;
    update_guard_swap(t);
    take_back(t, micro_batches);
    if (t->measures_updates)
        over_weights(t, leave_weight);
    report->skipped = true;
    t->is_stopped = stops;
    return true;
}

bool trainer_update(Trainer *t, int64_t micro_batches, bool measured, StepReport *report, Error *err)
{
    const Config *config = t->config;
    const bool found_inf = unscale_gradients(t);
    if (!hooks_are_empty(config->hooks) && !apply_hooks(t, err))
        return false;
    over_weights(t, measured && t->observer->gradient ? measure_weight : square_weight);
    report->grad_norm = total_norm(t);
    report->lr = schedule_rate(config->schedule, t->step);
    t->clip = clip_gradients(t, report);
    const Verdict verdict = judge(t, report, found_inf);
    report->skipped = verdict != UPDATE_TAKEN;
    t->is_stopped = verdict == UPDATE_STOPS;
    t->measures_updates = measured && t->observer->wants_updates;
    if (verdict != UPDATE_SKIPPED_BY_SCALER && (report->skipped || !is_finite_update(report)) &&
        nonfinite_is_told(t, t->is_stopped) && !nonfinite_tell(t, micro_batches, report, err))
        return false;
    if (report->skipped) {
        if (verdict != UPDATE_SKIPPED_BY_SCALER) /* there the forward pass counts, as it does in PyTorch */
            take_back(t, micro_batches);
        if (t->measures_updates)
            over_weights(t, leave_weight);
        return true;
    }
    optimizer_start_step(t->optimizer, config->schedule, t->step);
    if (!update_guarded(t, micro_batches, report, err))
        return false;
    return report->skipped || !t->clip || !t->is_reported || !t->observer || !t->observer->clipped ||
           t->observer->clipped(t->observer->context, t->step + 1, t->net, t->clip, err);
}

static bool tell_observer(Trainer *t, const StepReport *report, bool measured, Error *err)
{
    const Observer *observer = t->observer;
    for (int i = 0; measured && observer->updated && i < t->config->model->parameters; i++)
        observer->updated(observer->context, i, t->gradient[i] ? &t->update[i] : NULL);
    return !observer || !observer->stepped || observer->stepped(observer->context, report, measured, t->clip, err);
}

TrainStatus trainer_end_step(Trainer *t, StepReport *report, bool measured, Error *err)
{
    t->step++;
    report->has_scaler = t->scaler != NULL;
    report->found_inf = t->found_inf;
    if (t->scaler)
        scaler_update(t->scaler, t->found_inf);
    report->next_scale = trainer_scale(t);
    t->found_inf = false;
    report->seconds = trainer_seconds(t);
    if (!tell_observer(t, report, measured, err))
        return TRAIN_FAILED;
    return t->is_stopped ? TRAIN_DIVERGED : TRAIN_COMPLETED;
}
