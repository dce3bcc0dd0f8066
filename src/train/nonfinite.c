/* What a replay found, in the words and numbers of those who wrote the config. */
#include "train/nonfinite.h"

#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "train/nonfinite_replay.h"
#include "train/update_guard.h"

enum { ALWAYS_TOLD = 10 };

const char *nonfinite_phase_name(NonfinitePhase phase)
{
    static const char *const names[] = {"forward", "backward", "update"};
    return names[phase];
}

static bool is_hook(const char *part)
{
    return part && !strncmp(part, "hook", 4);
}

static const char *place_of(const NonfiniteReport *r)
{
    return is_hook(r->part) || !r->layer ? r->part : r->layer;
}

/* Parts of the step that is being told of. */
typedef struct Telling {
    Trainer *trainer;
    Arena *arena;
    Replayed what;    /* all of the update */
    int64_t position; /* of its first sample in the epoch */
    Finding finding;
    NonfiniteReport report;
} Telling;

/* "mul in fc1 (backward)" */
static const char *operation_in(const Node *node, Arena *arena)
{
    const char *where = is_hook(node->part) || !node->scope ? node->part : node->scope;
    return arena_printf(arena, "%s%s%s%s", replay_op_name(node), where ? " in " : "", where ? where : "",
                        replay_is_backward(node) ? " (backward)" : "");
}

/* Where the numbers of a value come from, whatever shapes they were given since. */
static const Node *maker_of(const Node *x)
{
    while (x->op->kind == OP_VIEW || x->op == &row_expand || x->op == &row_cast)
        x = x->in[0];
    return x;
}

static const char *input_name(const Telling *tell, const Node *value)
{
    const StepGraph *g = tell->finding.graph;
    const Node *x = maker_of(value);
    if (x->parameter)
        return x->parameter->name;
    if (x->op->kind == OP_SOURCE)
        return g && x == g->model.input ? "inputs" : g && x == g->loss.target ? "targets" : x->name ? x->name : "constant";
    return operation_in(x, tell->arena);
}

static void describe_inputs(Telling *tell, const ReplayEvent *event)
{
    NonfiniteReport *r = &tell->report;
    r->inputs = event->node->op->inputs;
    for (int k = 0; k < r->inputs; k++) {
        const ReplayInput *input = &event->input[k];
        r->input[k] = (NonfiniteInput){.name = input_name(tell, input->node),
                                       .shape = input->node->shape,
                                       .nonfinite = input->nonfinite,
                                       .abs_max = input->abs_max,
                                       .has_value = input->has_value,
                                       .value = input->value};
    }
}

static void describe_source(Telling *tell)
{
    const Replay *replay = tell->finding.replay;
    const StepGraph *g = tell->finding.graph;
    NonfiniteReport *r = &tell->report;
    if (!replay->source)
        return;
    r->source = input_name(tell, replay->source);
    r->source_shape = replay->source->shape;
    r->source_element = replay->source_element;
    r->source_value = replay->source_value;
    r->inputs_finite = false;
    r->cause = "non-finite input";
    if (g && (replay->source == g->model.input || replay->source == g->loss.target)) {
        r->source_shape = shape_rest(replay->source->shape);
        const size_t size = shape_count(r->source_shape);
        const size_t row = replay->source_element / size;
        r->source_element = replay->source_element % size;
        if (tell->finding.micro >= 0 && (int64_t)row < tell->what.count)
            r->source_sample = tell->what.order[tell->finding.micro * tell->what.batch_size + (int64_t)row];
    }
}

/* A value of the penalty's own backward pass stands before the objective. */
static const char *part_of(const Telling *tell, const Node *node)
{
    const StepGraph *g = tell->finding.graph;
    const bool is_of_penalty = g && g->penalty.value && replay_is_backward(node) && node->id <= g->penalty.value->id;
    return is_of_penalty && !node->part ? "penalty" : node->part;
}

static const char *becomes(const Telling *tell, const ReplayEvent *event)
{
    const char *detail, *cause = replay_cause(event, &detail, tell->arena);
    return arena_printf(tell->arena, "%s: %s", cause, operation_in(event->node, tell->arena));
}

static void describe_replay(Telling *tell)
{
    const Replay *replay = tell->finding.replay;
    const StepGraph *g = tell->finding.graph;
    const ReplayEvent *event = &replay->first;
    NonfiniteReport *r = &tell->report;
    const bool is_backward = replay_is_backward(event->node);
    r->phase = is_backward || !g ? NONFINITE_BACKWARD : NONFINITE_FORWARD;
    r->layer = event->node->scope;
    r->part = part_of(tell, event->node);
    r->op = replay_op_name(event->node);
    r->operation = event->node->op->name;
    r->shape = event->node->shape;
    r->element = event->element;
    r->value = event->value;
    r->inputs_finite = event->inputs_finite;
    r->cause = replay_cause(event, &r->detail, tell->arena);
    r->becomes = replay->turns_nan ? becomes(tell, &replay->nan) : NULL;
    r->is_masked = r->phase == NONFINITE_FORWARD && g && g->loss.sum && !replay->source &&
                   !replay->nonfinite[graph_base(g->loss.sum)->id] &&
                   !(g->penalty.sum && replay->nonfinite[graph_base(g->penalty.sum)->id]);
    describe_inputs(tell, event);
    describe_source(tell);
}

static void describe_sum(Telling *tell)
{
    const Parameter *p = tell->trainer->config->model->parameter[tell->finding.parameter];
    NonfiniteReport *r = &tell->report;
    r->phase = NONFINITE_BACKWARD;
    r->layer = p->layer;
    r->op = r->operation = "accumulate";
    r->parameter = p->name;
    r->shape = p->shape;
    r->element = tell->finding.element;
    r->value = tell->finding.value;
    r->inputs_finite = true;
    r->cause = "overflow";
    r->detail = "the gradients of the micro-batches are finite, their sum is not";
}

/* The rows of the micro-batch that the value stands in; all where that is not known. */
static int64_t list_rows(Telling *tell, uint32_t *order)
{
    const Finding *f = &tell->finding;
    const Replayed *what = &tell->what;
    NonfiniteReport *r = &tell->report;
    const int64_t first = f->micro > 0 ? f->micro * what->batch_size : 0;
    const int64_t end = f->micro >= 0 && first + what->batch_size < what->count ? first + what->batch_size : what->count;
    const bool *is_row = f->micro < 0 || !f->replay ? NULL
                         : f->replay->is_source_row ? f->replay->is_source_row
                                                    : f->replay->first.is_row;
    int64_t *sample = ARENA_ARRAY(tell->arena, int64_t, end - first + 1);
    int64_t *position = ARENA_ARRAY(tell->arena, int64_t, end - first + 1);
    for (int64_t i = first; i < end; i++)
        if (!is_row || is_row[i - first]) {
            order[r->samples] = what->order[i];
            position[r->samples] = tell->position + i;
            sample[r->samples++] = what->order[i];
        }
    r->sample = sample;
    r->position = position;
    return end - first;
}

/* Whether these samples in one batch give the same value. */
static bool suffices(Telling *tell, const uint32_t *order, int64_t count)
{
    const Config *config = tell->trainer->config;
    const float *targets = config->data.training.targets;
    bool has_real = false, has_fake = false;
    for (int64_t i = 0; config->penalty && config->penalty->at == PENALTY_AT_INTERPOLATE && i < count; i++) {
        has_real |= targets[order[i]] > 0;
        has_fake |= targets[order[i]] < 0;
    }
    if (config->penalty && config->penalty->at == PENALTY_AT_INTERPOLATE && !(has_real && has_fake))
        return false; /* a config of such samples alone is refused */
    Arena *scratch = arena_new(tell->arena);
    Finding finding;
    const uint64_t draw = tell->what.first_draw + (uint64_t)(tell->finding.micro > 0 ? tell->finding.micro : 0);
    const Replayed what = {.order = order, .count = count, .batch_size = count, .first_draw = draw};
    const bool is_same = nonfinite_replay(tell->trainer, &what, &finding, scratch, error_new(scratch)) &&
                         nonfinite_is_same(&tell->finding, &finding);
    arena_free(scratch);
    return is_same;
}

static void take(Telling *tell, const uint32_t *order, int64_t count)
{
    NonfiniteBatch *batch = &tell->report.batch;
    const int64_t micro = tell->finding.micro > 0 ? tell->finding.micro : 0;
    *batch = (NonfiniteBatch){.order = order,
                              .count = count,
                              .batch_size = count,
                              .accumulate = 1,
                              .first_draw = tell->what.first_draw + (uint64_t)micro};
}

/* The fewest samples: one, those involved, or halves of the micro-batch for as long as one of them does. */
static void reduce(Telling *tell, const uint32_t *involved, int64_t size)
{
    const int64_t count = tell->report.samples;
    const uint32_t *order = tell->what.order + (tell->finding.micro > 0 ? tell->finding.micro * tell->what.batch_size : 0);
    if (size > 1 && suffices(tell, involved, 1)) {
        take(tell, involved, 1);
        return;
    }
    if (count < size && suffices(tell, involved, count)) {
        order = involved;
        size = count;
    } else if (!suffices(tell, order, size)) { /* it takes the group */
        return;
    }
    for (int64_t half = (size + 1) / 2; size > 1; half = (size + 1) / 2) {
        if (suffices(tell, order, half)) {
            size = half;
        } else if (suffices(tell, order + half, size - half)) {
            order += half;
            size -= half;
        } else {
            break;
        }
    }
    take(tell, order, size);
}

/* The samples that the reduction found are those involved, where rows did not tell. */
static void list_samples(Telling *tell)
{
    NonfiniteReport *r = &tell->report;
    uint32_t *order = ARENA_ARRAY(tell->arena, uint32_t, tell->what.count + 1);
    const bool is_generated =
        tell->what.ran && tell->finding.graph && tell->finding.graph->net == tell->trainer->config->model->net;
    if (is_generated) /* by a generator, out of no samples */
        return;
    const int64_t size = list_rows(tell, order);
    if (tell->what.ran)
        return;
    reduce(tell, order, size);
    if (r->samples < size || r->batch.count >= size)
        return;
    int64_t *sample = ARENA_ARRAY(tell->arena, int64_t, r->batch.count), *position = ARENA_ARRAY(tell->arena, int64_t, size);
    r->samples = 0;
    for (int64_t i = 0; i < tell->what.count && r->samples < r->batch.count; i++)
        if (tell->what.order[i] == r->batch.order[r->samples]) {
            sample[r->samples] = tell->what.order[i];
            position[r->samples++] = tell->position + i;
        }
    r->sample = sample;
    r->position = position;
}

/* Which samples the update read, and by which draws. */
static void find_samples(Telling *tell, int64_t micro_batches)
{
    const Trainer *t = tell->trainer;
    const Config *config = t->config;
    const bool is_generator = config->gan && t->net == config->model->net;
    const int64_t all = config_micro_batches(config);
    const int64_t next = config->gan && !t->micro ? all : t->micro; /* the epoch may have ended with it */
    int64_t first = next > micro_batches ? next - micro_batches : 0, count = 0;
    first = is_generator ? 0 : first;
    for (int64_t m = first; m < first + micro_batches; m++)
        count += config_micro_size(config, m);
    tell->position = first * config->train.batch_size;
    tell->what = (Replayed){.order = t->order + tell->position,
                            .count = count,
                            .batch_size = config->train.batch_size,
                            .first_draw = t->runs - (uint64_t)micro_batches,
                            .ran = config->gan ? t->ran : NULL};
    tell->report.batch = (NonfiniteBatch){.order = tell->what.order,
                                          .count = count,
                                          .batch_size = config->gan ? count : config->train.batch_size,
                                          .accumulate = micro_batches,
                                          .first_draw = tell->what.first_draw,
                                          .critic_steps = !is_generator};
}

static void begin(Telling *tell, Trainer *t, int64_t micro_batches, const StepReport *report)
{
    *tell = (Telling){.trainer = t, .arena = arena_new(t->arena)};
    tell->finding = (Finding){.micro = -1, .parameter = -1};
    tell->report = (NonfiniteReport){.step = t->step + 1,
                                     .epoch = t->epoch - (t->config->gan && !t->micro),
                                     .of = micro_batches,
                                     .detail = "",
                                     .source_sample = -1,
                                     .config = t->config,
                                     .lr = report->lr,
                                     .scale = trainer_scale(t)};
    find_samples(tell, micro_batches);
}

static bool end(Telling *tell, Error *err)
{
    Trainer *t = tell->trainer;
    NonfiniteReport *r = &tell->report;
    const char *place = place_of(r);
    r->where = place ? place : r->op;
    trainer_swap_buffers(t);
    trainer_count_batch(t, -r->of);
    const bool fine = t->observer->nonfinite(t->observer->context, r, err);
    trainer_count_batch(t, r->of);
    trainer_swap_buffers(t);
    arena_free(tell->arena);
    return fine;
}

bool nonfinite_is_told(Trainer *t, bool stops)
{
    if (t->nonfinite_step == t->step + 1)
        return false;
    const int64_t number = ++t->nonfinite_steps;
    t->nonfinite_step = t->step + 1;
    return t->observer && t->observer->nonfinite && (stops || number <= ALWAYS_TOLD || (number & (number - 1)) == 0);
}

bool nonfinite_tell(Trainer *t, int64_t micro_batches, const StepReport *report, Error *err)
{
    Telling tell;
    begin(&tell, t, micro_batches, report);
    if (!nonfinite_replay(t, &tell.what, &tell.finding, tell.arena, err))
        return false;
    NonfiniteReport *r = &tell.report;
    r->micro = tell.finding.micro + 1;
    if (tell.finding.replay) {
        describe_replay(&tell);
    } else if (tell.finding.parameter >= 0) {
        describe_sum(&tell);
    } else { /* the second time it was finite: only the place where it was noticed is known */
        r->phase = isfinite(report->loss) ? NONFINITE_BACKWARD : NONFINITE_FORWARD;
        r->op = r->operation = isfinite(report->loss) ? "gradient" : "loss";
        r->value = isfinite(report->loss) ? report->grad_norm : report->loss;
        r->cause = "unknown";
    }
    list_samples(&tell);
    return end(&tell, err);
}

static void add_value(NonfiniteReport *r, const char *name, double value)
{
    r->input[r->inputs++] = (NonfiniteInput){.name = name,
                                             .shape = r->shape,
                                             .nonfinite = isfinite(value) ? 0U : 1U,
                                             .abs_max = isfinite(value) ? fabs(value) : 0,
                                             .has_value = true,
                                             .value = value};
}

static void describe_update(NonfiniteReport *r, const UpdateFault *fault, const OptimizerType *type)
{
    add_value(r, "gradient", fault->at.gradient);
    add_value(r, "weight", fault->at.x_before);
    for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
        if (fault->update.state[i])
            add_value(r, type->state_names[i], fault->at.state_before[i]);
}

bool nonfinite_tell_update(Trainer *t, int64_t micro_batches, const StepReport *report, Error *err)
{
    Telling tell;
    UpdateFault fault;
    begin(&tell, t, micro_batches, report);
    if (!update_guard_find(t, &fault))
        return true;
    const OptimizerType *type = optimizer_type(t->optimizer);
    const Parameter *p = t->config->model->parameter[fault.parameter];
    NonfiniteReport *r = &tell.report;
    r->phase = NONFINITE_UPDATE;
    r->layer = p->layer;
    r->op = r->operation = type->name;
    r->parameter = p->name;
    r->shape = p->shape;
    r->element = fault.element;
    r->value = fault.value;
    r->inputs_finite = isfinite(fault.at.gradient) && isfinite(fault.at.x_before);
    describe_update(r, &fault, type);
    r->blame = update_blame(type, &fault.update, &fault.at, &r->cause);
    r->detail = arena_printf(tell.arena, "rate %.3g%s%s", fault.update.lr, fault.state ? "; it is in " : "",
                             fault.state ? fault.state : "");
    r->batch.needs_optimizer = true;
    update_guard_swap(t);
    const bool fine = end(&tell, err);
    update_guard_swap(t);
    return fine;
}

static const char *word(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf";
}

const char *nonfinite_sentence(const NonfiniteReport *r, Arena *arena)
{
    const char *where = place_of(r);
    const char *in = where ? arena_printf(arena, " in %s", where) : "";
    if (r->phase == NONFINITE_UPDATE)
        return arena_printf(arena, "%s makes %s of %s: %s by the %s", r->op, word(r->value), r->parameter, r->cause, r->blame);
    if (r->source && r->source_sample >= 0)
        return arena_printf(arena, "%s%s reads %s of the %s, element %zu of sample %lld", r->op, in, word(r->source_value),
                            r->source, r->source_element, (long long)r->source_sample);
    if (r->source)
        return arena_printf(arena, "%s%s reads %s, whose element %zu is %s", r->op, in, r->source, r->source_element,
                            word(r->source_value));
    return arena_printf(arena, "%s%s%s gives %s: %s", r->phase == NONFINITE_BACKWARD ? "the derivative of " : "", r->op, in,
                        word(r->value), r->cause);
}
