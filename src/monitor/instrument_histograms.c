/* Exact histograms of every weight's gradient by power of two: the exponent answers what a number format would lose. */
#include <string.h>

#include "monitor/instrument.h"

typedef struct State {
    const Model *model;
    Variant variant;
    int64_t every;
    ExponentHistogram *histogram;
    bool *present;
} State;

static void *make(const InstrumentSetup *setup)
{
    State *state = ARENA_NEW(setup->arena, State);
    *state = (State){.model = setup->model, .variant = setup->variant, .every = setup->histogram_every};
    state->histogram = ARENA_ARRAY(setup->arena, ExponentHistogram, setup->model->parameters);
    state->present = ARENA_ARRAY(setup->arena, bool, setup->model->parameters);
    return state;
}

/* The first step too: what initialisation did is seen there alone. */
static bool is_due(const void *context, int64_t step)
{
    const State *state = context;
    return state->every > 0 && (step == 1 || step % state->every == 0);
}

static void gradient(void *context, int index, const float *values, size_t count, const Statistics *statistics)
{
    (void)statistics;
    State *state = context;
    state->present[index] = values != NULL;
    memset(&state->histogram[index], 0, sizeof state->histogram[index]);
    if (values)
        exponent_histogram_add(state->variant, values, count, &state->histogram[index]);
}

static void write_one(const ExponentHistogram *histogram, const char *name, int64_t step, RunLog *log)
{
    int first = 0, last = EXPONENT_BINS - 1;
    while (first <= last && !histogram->count[first])
        first++;
    while (last > first && !histogram->count[last])
        last--;
    run_log_begin(log, "histogram");
    run_log_integer(log, "step", step);
    run_log_string(log, "of", "gradients");
    run_log_string(log, "name", name);
    run_log_integer(log, "zeros", (int64_t)histogram->zeros);
    run_log_integer(log, "nonfinite", (int64_t)histogram->nonfinite);
    Text *text = run_log_key(log, "exponents");
    text_add_char(text, '[');
    if (first <= last)
        text_printf(text, "%d", first + EXPONENT_FIRST);
    for (int e = first; e <= last; e++)
        text_printf(text, ",%llu", (unsigned long long)histogram->count[e]);
    text_add_char(text, ']');
    run_log_end(log);
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    for (int i = 0; i < state->model->parameters; i++)
        if (state->present[i])
            write_one(&state->histogram[i], state->model->parameter[i]->name, step, log);
}

extern const Instrument instrument_histograms;
const Instrument instrument_histograms = {
    .name = "histograms",
    .help = "exact histogram of every weight's gradient by power of two",
    .cost = "under 10 % of a step in which it is taken",
    .is_default = true,
    .make = make,
    .is_due = is_due,
    .gradient = gradient,
    .write = write,
};
