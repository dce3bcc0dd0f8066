/* Running: one loop over steps, walked by all threads together. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "autograd/plan.h"
#include "autograd/plan_internal.h"
#include "base/text.h"

enum { THREAD_LIMIT = 64 };

static void set_number(Variant variant, void *at, double value)
{
    if (variant == VARIANT_F64)
        *(double *)at = value;
    else
        *(float *)at = (float)value;
}

static void fill_sources(const Plan *plan, Workspace *w)
{
    for (int i = 0; i < plan->graph->count; i++) {
        const Node *node = plan->graph->node[i];
        if (plan->place[i].kind != PLACE_PERSISTENT || node->op->kind != OP_SOURCE)
            continue;
        if (node->parameter) { /* float64 works on a copy */
            size_t n = shape_count(node->shape);
            for (size_t k = 0; k < n; k++)
                ((double *)w->at[i])[k] = (double)node->parameter->data[k];
        } else if (node->values) {
            for (size_t k = 0; k < shape_count(node->shape); k++)
                set_number(plan->variant, (char *)w->at[i] + k * variant_size(plan->variant), node->values[k]);
        } else if (node->shape.rank == 0) {
            set_number(plan->variant, w->at[i], node->attributes.k);
        }
    }
}

Workspace *workspace_new(const Plan *plan, Arena *arena, Error *err)
{
    Workspace *w = ARENA_NEW(arena, Workspace);
    *w = (Workspace){.plan = plan, .arena = arena};
    w->persistent = arena_try(arena, plan->persistent_bytes + 64);
    w->shared = arena_try(arena, plan->shared_bytes + 64);
    w->scratch[0] = arena_try(arena, plan->scratch_bytes);
    if (!w->persistent || !w->shared || !w->scratch[0]) {
        error_add(err, "a workspace of %.1f MiB cannot be had", (double)plan_bytes(plan) / (1 << 20));
        error_hint(err, "a smaller train.batch_size needs less");
        return NULL;
    }
    w->at = ARENA_ARRAY(arena, void *, plan->graph->count);
    for (int i = 0; i < plan->graph->count; i++) {
        const Place *place = &plan->place[i];
        if (place->kind == PLACE_PERSISTENT)
            w->at[i] = w->persistent + place->offset;
        else if (place->kind == PLACE_SHARED)
            w->at[i] = w->shared + place->offset;
    }
    for (int i = 0; i < plan->graph->count; i++) {
        const Node *base = graph_base(plan->graph->node[i]);
        if (plan->place[base->id].kind == PLACE_PARAMETER)
            w->at[i] = base->parameter->data;
    }
    fill_sources(plan, w);
    return w;
}

void *workspace_value(const Workspace *workspace, const Node *node)
{
    return workspace->at[node->id];
}

RunContext *workspace_context(Workspace *workspace)
{
    return &workspace->context;
}

static void see(const Tap *taps, const void *values, size_t first, size_t count)
{
    for (const Tap *tap = taps; tap; tap = tap->next)
        tap->see(tap->context, values, first, count);
}

/* Blocks [first, last) of a chain: all members on one block before the next, so that what stays inside stays in cache. */
static void run_chain(const Step *step, const Workspace *w, char *slots, size_t first, size_t last)
{
    const size_t size = variant_size(w->plan->variant);
    for (size_t block = first; block < last; block++) {
        Part part = {.first = block * PLAN_BLOCK, .run = &w->context};
        size_t left = step->elements - part.first;
        part.count = left < PLAN_BLOCK ? left : PLAN_BLOCK;
        for (int m = 0; m < step->members; m++) {
            const Member *member = &step->member[m];
            const Node *y = member->node;
            const void *in[OP_MAX_INPUTS];
            for (int k = 0; k < y->op->inputs; k++) {
                if (member->in_slot[k] != NO_SLOT)
                    in[k] = slots + (size_t)member->in_slot[k] * SLOT_BYTES;
                else
                    in[k] = (char *)w->at[y->in[k]->id] + (y->op->whole_input ? 0 : part.first * size);
            }
            void *out = member->out_slot != NO_SLOT ? slots + (size_t)member->out_slot * SLOT_BYTES
                                                    : (char *)w->at[y->id] + part.first * size;
            member->kernel(y, out, in, &part);
            if (member->round)
                member->round(out, part.count);
            if (member->taps)
                see(member->taps, out, part.first, part.count);
        }
    }
}

/* Blocks [first, last) of a value that has been computed: they are rounded, or seen. */
static void run_pass(const Step *step, const Workspace *w, size_t first, size_t last)
{
    const size_t size = variant_size(w->plan->variant);
    for (size_t block = first; block < last; block++) {
        size_t at = block * PLAN_BLOCK, left = step->elements - at, count = left < PLAN_BLOCK ? left : PLAN_BLOCK;
        char *values = (char *)w->at[step->node->id] + at * size;
        if (step->round)
            step->round(values, count);
        else
            see(step->taps, values, at, count);
    }
}

static void run_step(const Step *step, const Workspace *w, char *scratch, size_t first, size_t last)
{
    if (first == last)
        return;
    if (step->kind == STEP_CHAIN) {
        run_chain(step, w, scratch, first, last);
    } else if (step->kind != STEP_KERNEL) {
        run_pass(step, w, first, last);
    } else {
        const Node *y = step->node;
        const void *in[OP_MAX_INPUTS];
        for (int k = 0; k < y->op->inputs; k++)
            in[k] = w->at[y->in[k]->id];
        step->kernel(y, w->at[y->id], in,
                     &(Part){.first = first, .count = last - first, .run = &w->context, .scratch = scratch});
    }
}

typedef struct Walk {
    const Plan *plan;
    const Workspace *workspace;
    Threads *threads;
} Walk;

/* Each thread walks all steps; divided ones are shared out, the others are thread 0's. All meet around a divided step. */
static void walk_steps(void *context, int thread, int threads)
{
    const Walk *walk = context;
    const Plan *plan = walk->plan;
    bool was_divided = false;
    for (int s = 0; s < plan->steps; s++) {
        const Step *step = &plan->step[s];
        size_t n = (size_t)threads, t = (size_t)thread;
        if (s && (step->is_divided || was_divided))
            threads_meet(walk->threads, thread);
        if (step->is_divided)
            run_step(step, walk->workspace, walk->workspace->scratch[thread], step->units * t / n, step->units * (t + 1) / n);
        else if (!thread)
            run_step(step, walk->workspace, walk->workspace->scratch[0], 0, step->units);
        was_divided = step->is_divided;
    }
}

static void assign(const Plan *plan, const Workspace *w)
{
    for (int i = 0; i < plan->graph->assignments; i++) {
        const Assignment *a = &plan->graph->assignment[i];
        if (plan->variant != VARIANT_F64)
            memcpy(a->into->data, w->at[a->value->id], sizeof(float) * shape_count(a->into->shape));
    }
}

/* Scratch for every thread, taken when first needed; where it cannot be had, one thread does it all. */
static bool is_ready_for(const Plan *plan, Workspace *workspace, int threads)
{
    for (int t = 1; t < threads; t++) {
        if (!workspace->scratch[t])
            workspace->scratch[t] = arena_try(workspace->arena, plan->scratch_bytes);
        if (!workspace->scratch[t])
            return false;
    }
    return threads > 1 && threads <= THREAD_LIMIT;
}

void plan_run(const Plan *plan, Workspace *workspace, Threads *threads)
{
    if (threads && plan->is_divided && is_ready_for(plan, workspace, threads_count(threads))) {
        threads_run(threads, walk_steps, &(Walk){plan, workspace, threads});
    } else {
        for (int s = 0; s < plan->steps; s++)
            run_step(&plan->step[s], workspace, workspace->scratch[0], 0, plan->step[s].units);
    }
    assign(plan, workspace);
}

const Node *plan_step_node(const Plan *plan, int step)
{
    const Step *s = &plan->step[step];
    return s->kind == STEP_CHAIN ? s->member[0].node : s->node;
}

void plan_run_step(const Plan *plan, Workspace *workspace, int step)
{
    run_step(&plan->step[step], workspace, workspace->scratch[0], 0, plan->step[step].units);
}

void plan_run_timed(const Plan *plan, Workspace *workspace, double seconds[])
{
    for (int s = 0; s < plan->steps; s++) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        run_step(&plan->step[s], workspace, workspace->scratch[0], 0, plan->step[s].units);
        clock_gettime(CLOCK_MONOTONIC, &end);
        seconds[s] += (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    }
    assign(plan, workspace);
}

const char *plan_step_name(const Plan *plan, int step, Arena *arena)
{
    const Step *s = &plan->step[step];
    if (s->kind == STEP_KERNEL)
        return s->node->op->name;
    if (s->kind == STEP_TAP)
        return "watch";
    if (s->kind == STEP_ROUND)
        return "round";
    Text text = text_new(arena);
    for (int m = 0; m < s->members; m++)
        text_printf(&text, m ? " %s" : "%s", s->member[m].node->op->name);
    return text.at;
}

const char *plan_step_scope(const Plan *plan, int step)
{
    const Step *s = &plan->step[step];
    return s->kind == STEP_CHAIN ? s->member[0].node->scope : s->node->scope;
}
