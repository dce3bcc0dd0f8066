/* How far each update moves a weight: norm of the update over the norm of the weights before it. A weight that is not updated
 * has no ratio, but a norm. */
#include <math.h>

#include "monitor/instrument.h"

typedef struct State {
    const Model *model;
    Variant variant;
    int count;
    UpdateStatistics *update;
    bool *present;
} State;

static void *make(const InstrumentSetup *setup)
{
    State *state = ARENA_NEW(setup->arena, State);
    *state = (State){.model = setup->model, .variant = setup->variant, .count = setup->model->parameters};
    state->update = ARENA_ARRAY(setup->arena, UpdateStatistics, state->count);
    state->present = ARENA_ARRAY(setup->arena, bool, state->count);
    return state;
}

static void updated(void *context, int index, const UpdateStatistics *statistics)
{
    State *state = context;
    const Parameter *p = state->model->parameter[index];
    state->present[index] = statistics != NULL;
    if (statistics)
        state->update[index] = *statistics;
    else
        state->update[index].weight_square = statistics_square_sum(state->variant, p->data, NULL, shape_count(p->shape));
}

static void write_array(const State *state, RunLog *log, const char *key, bool ratio)
{
    Text *text = run_log_key(log, key);
    text_add_char(text, '[');
    for (int i = 0; i < state->count; i++) {
        const UpdateStatistics *u = &state->update[i];
        if (i)
            text_add_char(text, ',');
        if (ratio && !state->present[i])
            text_add(text, "null");
        else
            text_add_number(text, ratio ? sqrt(u->update_square) / sqrt(u->weight_square) : sqrt(u->weight_square));
    }
    text_add_char(text, ']');
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    run_log_begin(log, "updates");
    run_log_integer(log, "step", step);
    write_array(state, log, "ratio", true);
    write_array(state, log, "weight_norm", false);
    run_log_end(log);
}

extern const Instrument instrument_updates;
const Instrument instrument_updates = {
    .name = "updates",
    .help = "norm of every update over the norm of its weights",
    .cost = "under 3 % of a step",
    .is_default = true,
    .wants_updates = true,
    .make = make,
    .updated = updated,
    .write = write,
};
