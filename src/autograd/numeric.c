/* Central differences, and the comparison with analytic derivatives. */
#include "autograd/numeric.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "autograd/ops.h"

static const Op row_held = {.name = "held", .help = "a value that stays", .kind = OP_SOURCE};

Workspace *numeric_run(Graph *graph, Node *const roots[], int count, const Sources *sources, Arena *arena, Error *err)
{
    const Plan *plan = plan_compile(graph, roots, count, VARIANT_F64, arena, err);
    Workspace *w = plan ? workspace_new(plan, arena, err) : NULL;
    if (!w)
        return NULL;
    *workspace_context(w) = sources->run;
    sources->fill(sources->context, w);
    plan_run(plan, w, NULL);
    return w;
}

bool numeric_hold_stopped(Graph *graph, const Sources *sources, Arena *arena, Error *err)
{
    Node **stopped = ARENA_ARRAY(arena, Node *, graph->count);
    int count = 0;
    for (int i = 0; i < graph->count; i++)
        if (graph->node[i]->op == &row_stop_gradient)
            stopped[count++] = graph->node[i];
    if (!count)
        return true;
    const Workspace *w = numeric_run(graph, stopped, count, sources, arena, err);
    for (int i = 0; w && i < count; i++) {
        size_t n = shape_count(stopped[i]->shape);
        double *values = ARENA_ARRAY(graph->arena, double, n);
        memcpy(values, workspace_value(w, stopped[i]), sizeof(double) * n);
        stopped[i]->values = values;
    }
    for (int i = 0; w && i < count; i++) /* when all have been read: some are views of others */
        stopped[i]->op = &row_held;
    return w != NULL;
}

bool numeric_new(NumericFunction *f, Node *scalar, const Sources *sources, const Tolerance *tolerance, Arena *arena, Error *err)
{
    *f = (NumericFunction){.tolerance = *tolerance};
    f->plan = plan_compile(scalar->graph, &scalar, 1, VARIANT_F64, arena, err);
    f->workspace = f->plan ? workspace_new(f->plan, arena, err) : NULL;
    if (!f->workspace)
        return false;
    *workspace_context(f->workspace) = sources->run;
    sources->fill(sources->context, f->workspace);
    plan_run(f->plan, f->workspace, NULL);
    f->result = workspace_value(f->workspace, scalar);
    f->here = *f->result;
    return true;
}

typedef struct Line {
    const NumericFunction *f;
    double *at;
    const double *from, *direction;
    size_t count;
} Line;

static double value_at(const Line *line, double step)
{
    for (size_t i = 0; i < line->count; i++)
        line->at[i] = line->from[i] + step * line->direction[i];
    plan_run(line->f->plan, line->f->workspace, NULL);
    return *line->f->result;
}

static Slope slope_with(const Line *line, double step)
{
    double above = value_at(line, step), below = value_at(line, -step), here = line->f->here;
    return (Slope){
        .central = (above - below) / (2 * step),
        .left = (here - below) / step,
        .right = (above - here) / step,
        .rounding = 4 * DBL_EPSILON * fmax(fabs(here), fmax(fabs(above), fabs(below))) / step,
    };
}

static bool is_half(double part, double whole)
{
    return part > 0.4 * whole && part < 0.6 * whole;
}

/* The slopes' distance halves with the step where it is curvature. Twice: a kink at a third of the step mimics it once. */
static bool is_kink(const Line *line, double step, const Slope *slope)
{
    const Tolerance *t = &line->f->tolerance;
    double distance = fabs(slope->right - slope->left);
    if (!isfinite(line->f->here)) /* there is nothing to be steep */
        return false;
    if (!isfinite(distance))
        return true;
    if (distance <= t->atol + t->rtol * fmax(fabs(slope->left), fabs(slope->right)) + 2 * slope->rounding)
        return false;
    Slope half = slope_with(line, step / 2), quarter = slope_with(line, step / 4);
    double at_half = fabs(half.right - half.left), at_quarter = fabs(quarter.right - quarter.left);
    return !(is_half(at_half, distance) && is_half(at_quarter, at_half));
}

static double excess_of(const Tolerance *tolerance, double analytic, const Slope *slope)
{
    double allowed = tolerance->atol + tolerance->rtol * fabs(slope->central) + slope->rounding;
    double excess = fabs(analytic - slope->central) / allowed;
    return isnan(excess) ? INFINITY : excess;
}

static void comparison_add(Comparison *c, const Tolerance *tolerance, size_t index, double analytic, const Slope *slope)
{
    double numeric = slope->central, error = fabs(analytic - numeric), larger = fmax(fabs(analytic), fabs(numeric));
    double excess = excess_of(tolerance, analytic, slope);
    c->max_abs_error = fmax(c->max_abs_error, isnan(error) ? INFINITY : error);
    if (!(larger <= tolerance->atol))
        c->max_rel_error = fmax(c->max_rel_error, isfinite(error) ? error / larger : INFINITY);
    if (!c->checked++ || excess > c->excess) {
        c->worst = index;
        c->analytic = analytic;
        c->numeric = numeric;
        c->excess = excess;
    }
    c->failed |= excess > 1;
}

/* The step that adding it to the number really takes. */
static double exact_step(double from, double step)
{
    volatile double moved = from + step;
    double exact = moved - from;
    return isfinite(from) && exact > 0 ? exact : step;
}

static Slope slope_at(const Line *line, double step)
{
    step = line->count == 1 ? exact_step(line->from[0], step) : step;
    Slope slope = slope_with(line, step);
    slope.is_kink = is_kink(line, step, &slope);
    return slope;
}

Slope numeric_compare(const NumericFunction *f, double *at, const double *direction, size_t count, double analytic,
                      size_t index, Comparison *comparison, Arena *scratch)
{
    static const double part[] = {1, 1.0 / 16, 1.0 / 256};
    const Tolerance *tolerance = &f->tolerance;
    double largest = 1;
    Slope slope = {0}, first = {0};
    double *from = ARENA_ARRAY(scratch, double, count);
    bool agrees = !at && excess_of(tolerance, analytic, &slope) <= 1;
    for (size_t i = 0; at && i < count; i++) {
        from[i] = at[i];
        largest = fmax(largest, fabs(from[i]));
    }
    const Line line = {.f = f, .at = at, .from = from, .direction = direction, .count = count};
    for (size_t i = 0; at && !agrees && i < sizeof part / sizeof *part; i++) {
        slope = slope_at(&line, tolerance->eps * largest * part[i]);
        first = i ? first : slope;
        agrees = !slope.is_kink && excess_of(tolerance, analytic, &slope) <= 1;
    }
    if (at)
        memcpy(at, from, sizeof(double) * count);
    if (!agrees && !slope.is_kink) /* a mistake: the largest step has the least rounding, unless there was a kink in it */
        slope = first.is_kink ? slope : first;
    comparison->kinks += first.is_kink || slope.is_kink;
    if (!slope.is_kink)
        comparison_add(comparison, tolerance, index, analytic, &slope);
    return slope;
}
