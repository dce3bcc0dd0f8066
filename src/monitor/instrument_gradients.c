/* Statistics of every weight's gradient: of the whole group, before clipping. */
#include "monitor/instrument.h"

typedef struct State {
    int count;
    Statistics *statistics;
    bool *present;
} State;

static void *make(const InstrumentSetup *setup)
{
    State *state = ARENA_NEW(setup->arena, State);
    state->count = setup->model->parameters;
    state->statistics = ARENA_ARRAY(setup->arena, Statistics, state->count);
    state->present = ARENA_ARRAY(setup->arena, bool, state->count);
    return state;
}

static void gradient(void *context, int index, const float *values, size_t count, const Statistics *statistics)
{
    (void)count;
    State *state = context;
    state->present[index] = values != NULL;
    state->statistics[index] = *statistics;
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    run_log_begin(log, "gradients");
    run_log_integer(log, "step", step);
    instrument_write_statistics(log, state->statistics, state->present, state->count);
    run_log_end(log);
}

extern const Instrument instrument_gradients;
const Instrument instrument_gradients = {
    .name = "gradients",
    .help = "norm, min, max, mean, std, zeros, non-finite of every weight's gradient",
    .cost = "under 3 % of a step",
    .is_default = true,
    .make = make,
    .wants_statistics = true,
    .gradient = gradient,
    .write = write,
};
