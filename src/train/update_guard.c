/* Weights and optimizer state in one list of copies, in a fixed order. */
#include "train/update_guard.h"

#include <math.h>
#include <string.h>

/* Counts and places of what is kept. */
typedef void Visit(Trainer *t, Parameter *p, size_t at, int counter);

static size_t count_of(const Parameter *p)
{
    return p->kind == PARAMETER_COUNTER ? 0 : shape_count(p->shape);
}

/* Visits all that an update of t->net changes. Returns how many numbers and, in *counters, how many counters there are. */
static size_t visit_all(Trainer *t, Visit *visit, int *counters)
{
    int states;
    Parameter *const *state = optimizer_state(t->optimizer, &states);
    size_t at = 0;
    *counters = 0;
    for (int i = 0; i < t->net->parameters + states; i++) {
        Parameter *p =
            i < t->net->parameters ? t->config->model->parameter[t->net->parameter + i] : state[i - t->net->parameters];
        if (visit)
            visit(t, p, at, *counters);
        at += count_of(p);
        *counters += p->kind == PARAMETER_COUNTER;
    }
    return at;
}

static void keep(Trainer *t, Parameter *p, size_t at, int counter)
{
    if (p->kind == PARAMETER_COUNTER)
        t->kept_counters[counter] = p->counter;
    else
        memcpy(t->kept + at, p->data, sizeof(float) * count_of(p));
}

static void swap(Trainer *t, Parameter *p, size_t at, int counter)
{
    if (p->kind == PARAMETER_COUNTER) {
        int64_t now = p->counter;
        p->counter = t->kept_counters[counter];
        t->kept_counters[counter] = now;
    }
    for (size_t i = 0; i < count_of(p); i++) {
        float now = p->data[i];
        p->data[i] = t->kept[at + i];
        t->kept[at + i] = now;
    }
}

bool update_guard_keep(Trainer *t, Error *err)
{
    int counters;
    size_t count = visit_all(t, NULL, &counters), bytes = sizeof(float) * count;
    if (count > t->kept_capacity) {
        t->kept = arena_try(t->arena, bytes);
        t->kept_counters = ARENA_ARRAY(t->arena, int64_t, t->config->model->parameters + 1);
        t->kept_capacity = count;
    }
    if (!t->kept)
        return error_add(err, "an update that may overflow needs %zu bytes for a copy of the weights, which cannot be had",
                         bytes);
    visit_all(t, keep, &counters);
    return true;
}

void update_guard_swap(Trainer *t)
{
    int counters;
    visit_all(t, swap, &counters);
}

static size_t first_nonfinite(const float *values, size_t count)
{
    size_t i = 0;
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

/* Fills in what the element was, from the copies; those of the weights come first, in order. */
static void describe(const Trainer *t, UpdateFault *fault)
{
    const Model *model = t->config->model;
    const int index = fault->parameter - t->net->parameter;
    size_t at = fault->element;
    int states;
    Parameter *const *state = optimizer_state(t->optimizer, &states);
    fault->at = (UpdateElement){.x_after = (double)fault->update.x[fault->element]};
    fault->at.gradient =
        (double)t->gradient[fault->parameter][fault->element] * (t->clip ? t->clip->factor[fault->parameter] : 1);
    for (int i = 0; i < index; i++)
        at += count_of(model->parameter[t->net->parameter + i]);
    fault->at.x_before = (double)t->kept[at];
    for (int i = index; i < t->net->parameters; i++)
        at += count_of(model->parameter[t->net->parameter + i]);
    for (int s = 0; s < states; s++) {
        for (int k = 0; k < OPTIMIZER_MAX_STATES; k++)
            if (state[s]->data && state[s]->data == fault->update.state[k]) {
                fault->at.state_before[k] = (double)t->kept[at];
                fault->at.state_after[k] = (double)state[s]->data[fault->element];
            }
        at += count_of(state[s]);
    }
}

bool update_guard_find(const Trainer *t, UpdateFault *fault)
{
    const Model *model = t->config->model;
    for (int i = t->net->parameter; i < t->net->parameter + t->net->parameters; i++) {
        const size_t count = shape_count(model->parameter[i]->shape);
        Update update;
        if (!t->gradient[i] || !optimizer_next(t->optimizer, i - t->net->parameter, &update))
            continue;
        *fault = (UpdateFault){.parameter = i, .update = update};
        const float *values = update.x;
        fault->element = first_nonfinite(values, count);
        for (int k = 0; k < OPTIMIZER_MAX_STATES && fault->element == count; k++)
            if (update.state[k]) {
                values = update.state[k];
                fault->state = optimizer_type(t->optimizer)->state_names[k];
                fault->element = first_nonfinite(values, count);
            }
        if (fault->element == count)
            continue;
        if (values == update.x)
            fault->state = NULL;
        fault->value = (double)values[fault->element];
        describe(t, fault);
        return true;
    }
    return false;
}
