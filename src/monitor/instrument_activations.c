/* Statistics of every layer's output, and of the loss's gradient with respect to it, taken while they are computed. */
#include "autograd/watch.h"
#include "monitor/instrument.h"

typedef struct State {
    Arena *arena;
    Watch *watch;
    int count;
    const char *event;
    bool gradients;
    Statistics *statistics; /* of each layer, for writing */
    bool *present;
} State;

static void *make_state(const InstrumentSetup *setup, const char *event, bool gradients)
{
    State *state = ARENA_NEW(setup->arena, State);
    *state = (State){.arena = setup->arena, .count = setup->model->leaves, .event = event, .gradients = gradients};
    state->watch = ARENA_ARRAY(setup->arena, Watch, state->count);
    state->statistics = ARENA_ARRAY(setup->arena, Statistics, state->count);
    state->present = ARENA_ARRAY(setup->arena, bool, state->count);
    return state;
}

static void *make_activations(const InstrumentSetup *setup)
{
    return make_state(setup, "activations", false);
}

static void *make_activation_gradients(const InstrumentSetup *setup)
{
    return make_state(setup, "activation_gradients", true);
}

static Node *watched_node(const State *state, const TrainGraph *graph, int index)
{
    return state->gradients ? graph->leaf_grad[index] : graph->leaf[index];
}

static void attach(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->count; i++)
        watch_attach(&state->watch[i], watched_node(state, graph, i), graph->variant, state->arena);
}

static void begin(void *context)
{
    State *state = context;
    for (int i = 0; i < state->count; i++)
        watch_begin(&state->watch[i]);
}

static void ran(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->count; i++)
        watch_collect(&state->watch[i], watched_node(state, graph, i));
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    for (int i = 0; i < state->count; i++) {
        state->statistics[i] = state->watch[i].total;
        state->present[i] = state->watch[i].is_present;
    }
    run_log_begin(log, state->event);
    run_log_integer(log, "step", step);
    instrument_write_statistics(log, state->statistics, state->present, state->count);
    run_log_end(log);
}

extern const Instrument instrument_activations, instrument_activation_gradients;
const Instrument instrument_activations = {
    .name = "activations",
    .help = "norm, min, max, mean, std, zeros, non-finite of every layer's output",
    .cost = "under 10 % of a step",
    .is_default = true,
    .make = make_activations,
    .attach = attach,
    .begin = begin,
    .ran = ran,
    .write = write,
};
const Instrument instrument_activation_gradients = {
    .name = "activation_gradients",
    .help = "the same of the loss's gradient with respect to every layer's output",
    .cost = "under 10 % of a step",
    .is_default = true,
    .wants_leaf_gradients = true,
    .make = make_activation_gradients,
    .attach = attach,
    .begin = begin,
    .ran = ran,
    .write = write,
};
