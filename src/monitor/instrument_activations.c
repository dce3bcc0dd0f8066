/* Statistics of every layer's output, and of the loss's gradient with respect to it.
 *
 * A tap takes each block's statistics when the block has just been computed; blocks are merged in order, so that the numbers
 * do not depend on threads, and micro-batches after one another, as if they were one batch. */
#include "monitor/instrument.h"

/* One layer's tensor. Each graph (batch size) has its own taps into the same `block` array, sized for the largest. */
typedef struct Watched {
    Statistics *block; /* of each block */
    size_t blocks;
    StatisticsBlock *measure;
    Statistics total;
    bool present;
} Watched;

typedef struct State {
    Arena *arena;
    Watched *watched;
    int count;
    const char *event;
    bool gradients;
    Statistics *statistics; /* of each layer, for writing */
    bool *present;
} State;

static StatisticsBlock *const measures[VARIANT_COUNT] = KERNEL_TABLE(statistics_block);

static void *make_state(const InstrumentSetup *setup, const char *event, bool gradients)
{
    State *state = ARENA_NEW(setup->arena, State);
    *state = (State){.arena = setup->arena, .count = setup->model->leaves, .event = event, .gradients = gradients};
    state->watched = ARENA_ARRAY(setup->arena, Watched, state->count);
    state->statistics = ARENA_ARRAY(setup->arena, Statistics, state->count);
    state->present = ARENA_ARRAY(setup->arena, bool, state->count);
    for (int i = 0; i < state->count; i++)
        state->watched[i].measure = measures[setup->variant];
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

static void see(void *context, const void *values, size_t first, size_t count)
{
    Watched *watched = context;
    watched->measure(values, count, &watched->block[first / PLAN_BLOCK]);
}

static size_t blocks_of(const Node *node)
{
    return (shape_count(node->shape) + PLAN_BLOCK - 1) / PLAN_BLOCK;
}

static Node *watched_node(const State *state, const TrainGraph *graph, int index)
{
    return state->gradients ? graph->leaf_grad[index] : graph->leaf[index];
}

static void attach(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->count; i++) {
        Node *node = watched_node(state, graph, i);
        Watched *watched = &state->watched[i];
        if (!node)
            continue;
        if (blocks_of(node) > watched->blocks) {
            watched->blocks = blocks_of(node);
            watched->block = ARENA_ARRAY(state->arena, Statistics, watched->blocks);
        }
        graph_tap(node, see, watched);
    }
}

static void begin(void *context)
{
    State *state = context;
    for (int i = 0; i < state->count; i++) {
        state->watched[i].total = statistics_empty();
        state->watched[i].present = false;
    }
}

static void ran(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->count; i++) {
        const Node *node = watched_node(state, graph, i);
        Watched *watched = &state->watched[i];
        if (!node)
            continue;
        watched->present = true;
        for (size_t b = 0; b < blocks_of(node); b++)
            statistics_merge(&watched->total, &watched->block[b]);
    }
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    for (int i = 0; i < state->count; i++) {
        state->statistics[i] = state->watched[i].total;
        state->present[i] = state->watched[i].present;
    }
    run_log_begin(log, state->event);
    run_log_integer(log, "step", step);
    instrument_write_statistics(log, state->statistics, state->present, state->count);
    run_log_end(log);
}

extern const Instrument instrument_activations, instrument_activation_gradients;
const Instrument instrument_activations = {
    .name = "activations", .help = "norm, min, max, mean, std, zeros, non-finite of every layer's output", .cost = "under 10 % of a step",
    .is_default = true, .make = make_activations, .attach = attach, .begin = begin, .ran = ran, .write = write,
};
const Instrument instrument_activation_gradients = {
    .name = "activation_gradients", .help = "the same of the loss's gradient with respect to every layer's output",
    .cost = "under 10 % of a step", .is_default = true, .wants_leaf_gradients = true, .make = make_activation_gradients,
    .attach = attach, .begin = begin, .ran = ran, .write = write,
};
