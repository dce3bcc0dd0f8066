/* The gradient by position: for every layer over a sequence the RMS of dL/d(output) at each of its positions; of recurrent
 * layers also `delta_rms`, that of dL/d(gates), the inputs of the gates' functions.
 *
 * dL/d(output) is what the layers above ask of each position, and zero before the last where they look at the last alone. What
 * flows back through time is in the gates: their gradient is through all later steps, and it is what vanishes or explodes.
 *
 * A block of a tap touches whole rows of features and the two ends it cuts: each keeps its sum of squares in a place of its
 * own, and they are added in order, so that the numbers do not depend on threads. */
#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "monitor/instrument.h"

enum { BIN_LIMIT = 256 };

/* A tensor [batch, positions, features] of one layer. */
typedef struct Watched {
    Variant variant;
    size_t positions, features;
    double *square; /* of each row, or piece of a row, in the order of the blocks; as long as the largest batch asks for */
    size_t pieces;
    double total[BIN_LIMIT];
    size_t count[BIN_LIMIT]; /* of numbers */
    bool present;
} Watched;

typedef struct Seen {
    const char *name;
    bool is_recurrent, is_sequence;
    Watched output, delta;
} Seen;

typedef struct State {
    Arena *arena;
    Seen *layer;
    int layers;
} State;

static bool is_recurrent(const Layer *layer)
{
    const char *type = layer_type_name(layer);
    return !strcmp(type, "rnn") || !strcmp(type, "lstm") || !strcmp(type, "gru");
}

/* By default only where there is a recurrent layer; asked for, it watches every sequence. */
static bool suits(const Model *model)
{
    for (int i = 0; i < model->leaves; i++)
        if (is_recurrent(model->leaf[i]))
            return true;
    return false;
}

static void *make(const InstrumentSetup *setup)
{
    State *state = ARENA_NEW(setup->arena, State);
    const Model *model = setup->model;
    *state = (State){.arena = setup->arena, .layer = ARENA_ARRAY(setup->arena, Seen, model->leaves), .layers = model->leaves};
    for (int i = 0; i < state->layers; i++) {
        Seen *seen = &state->layer[i];
        seen->name = layer_path(model->leaf[i]);
        seen->is_recurrent = is_recurrent(model->leaf[i]);
        seen->is_sequence = layer_output(model->leaf[i]).rank == 2;
        seen->output.variant = seen->delta.variant = setup->variant;
    }
    return state;
}

/* Where the pieces of a block begin: each block before it cut at most one row. */
static size_t first_piece(const Watched *watched, size_t block)
{
    return block * PLAN_BLOCK / watched->features + block;
}

static void see(void *context, const void *values, size_t first, size_t count)
{
    Watched *watched = context;
    const size_t features = watched->features, size = variant_size(watched->variant);
    double *square = watched->square + first_piece(watched, first / PLAN_BLOCK);
    for (size_t at = 0; at < count;) {
        size_t rest = features - (first + at) % features, piece = rest < count - at ? rest : count - at;
        *square++ = statistics_square_sum(watched->variant, (const char *)values + at * size, NULL, piece);
        at += piece;
    }
}

static Node *output_gradient(const State *state, const TrainGraph *graph, int i)
{
    return state->layer[i].is_sequence ? graph->leaf_grad[i] : NULL;
}

static Node *gate_gradient(const State *state, const TrainGraph *graph, int i)
{
    return state->layer[i].is_recurrent ? op_recurrent_delta(graph->graph, state->layer[i].name) : NULL;
}

static void watch(State *state, Watched *watched, Node *node)
{
    if (!node)
        return;
    size_t count = shape_count(node->shape), blocks = (count + PLAN_BLOCK - 1) / PLAN_BLOCK;
    watched->positions = (size_t)node->shape.dim[1];
    watched->features = (size_t)node->shape.dim[2];
    size_t pieces = first_piece(watched, blocks) + 1;
    if (pieces > watched->pieces) {
        watched->pieces = pieces;
        watched->square = ARENA_ARRAY(state->arena, double, pieces);
    }
    graph_tap(node, see, watched);
}

static void attach(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->layers; i++) {
        watch(state, &state->layer[i].output, output_gradient(state, graph, i));
        watch(state, &state->layer[i].delta, loss_scale_remove(&graph->scale, gate_gradient(state, graph, i)));
    }
}

static void clear(Watched *watched)
{
    memset(watched->total, 0, sizeof watched->total);
    memset(watched->count, 0, sizeof watched->count);
    watched->present = false;
}

static void begin(void *context)
{
    State *state = context;
    for (int i = 0; i < state->layers; i++) {
        clear(&state->layer[i].output);
        clear(&state->layer[i].delta);
    }
}

static size_t bins_of(const Watched *watched)
{
    return watched->positions < BIN_LIMIT ? watched->positions : BIN_LIMIT;
}

static void add(Watched *watched, const Node *node)
{
    if (!node)
        return;
    const size_t count = shape_count(node->shape), features = watched->features, bins = bins_of(watched);
    watched->present = true;
    for (size_t first = 0; first < count; first += PLAN_BLOCK) {
        const double *square = watched->square + first_piece(watched, first / PLAN_BLOCK);
        size_t end = first + PLAN_BLOCK < count ? first + PLAN_BLOCK : count;
        for (size_t at = first; at < end;) {
            size_t rest = features - at % features, piece = rest < end - at ? rest : end - at;
            size_t bin = at / features % watched->positions * bins / watched->positions;
            watched->total[bin] += *square++;
            watched->count[bin] += piece;
            at += piece;
        }
    }
}

static void ran(void *context, const TrainGraph *graph)
{
    State *state = context;
    for (int i = 0; i < state->layers; i++) {
        add(&state->layer[i].output, output_gradient(state, graph, i));
        add(&state->layer[i].delta, gate_gradient(state, graph, i));
    }
}

static void write_array(RunLog *log, const char *key, const Watched *watched)
{
    if (!watched->present)
        return;
    Text *text = run_log_key(log, key);
    text_add_char(text, '[');
    for (size_t bin = 0; bin < bins_of(watched); bin++) {
        if (bin)
            text_add_char(text, ',');
        text_add_number(text, sqrt(watched->total[bin] / (double)watched->count[bin]));
    }
    text_add_char(text, ']');
}

static void write(void *context, int64_t step, RunLog *log)
{
    State *state = context;
    for (int i = 0; i < state->layers; i++) {
        const Seen *seen = &state->layer[i];
        if (!seen->output.present && !seen->delta.present)
            continue;
        run_log_begin(log, "time_gradients");
        run_log_integer(log, "step", step);
        run_log_string(log, "name", seen->name);
        run_log_integer(log, "positions", (int64_t)(seen->output.present ? seen->output.positions : seen->delta.positions));
        write_array(log, "rms", &seen->output);
        write_array(log, "delta_rms", &seen->delta);
        run_log_end(log);
    }
}

extern const Instrument instrument_time_gradients;
const Instrument instrument_time_gradients = {
    .name = "time_gradients",
    .help = "RMS of the gradient of sequences by position, and of recurrent gates through time",
    .cost = "under 2 % of a step",
    .is_default = true,
    .suits = suits,
    .wants_leaf_gradients = true,
    .make = make,
    .attach = attach,
    .begin = begin,
    .ran = ran,
    .write = write,
};
