/* What the flow of signals says of each layer with weights, and of the net. */
#include "diagnose/prediction.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "diagnose/signal_flow.h"
#include "monitor/run_line.h"

/* The one reader of each signal: an index, or one of these. */
enum { NO_READER = -1, MANY_READERS = -2 };

typedef struct Paths {
    int *reader;
    bool *leads_to_weights; /* some layer with weights follows */
    bool *is_trunk;         /* every path from input to output leads through it */
    int *depth;             /* layers with weights on the longest way to it, itself included */
} Paths;

/* Paths are counted modulo a prime: there may be 2^blocks of them. */
static uint64_t add_modulo(uint64_t a, uint64_t b)
{
    const uint64_t prime = 4294967291u;
    return (a + b) % prime;
}

static uint64_t multiply_modulo(uint64_t a, uint64_t b)
{
    const uint64_t prime = 4294967291u;
    return a * b % prime;
}

static void find_trunk(const SignalFlow *flow, bool *is_trunk, Arena *arena)
{
    uint64_t *from_input = ARENA_ARRAY(arena, uint64_t, flow->count), *to_output = ARENA_ARRAY(arena, uint64_t, flow->count);
    from_input[0] = 1;
    to_output[flow->output] = 1;
    for (int i = 0; i < flow->count; i++)
        for (int k = 0; k < flow->signal[i].inputs; k++)
            from_input[i] = add_modulo(from_input[i], from_input[flow->signal[i].in[k]]);
    for (int i = flow->count - 1; i >= 0; i--)
        for (int k = 0; k < flow->signal[i].inputs; k++)
            to_output[flow->signal[i].in[k]] = add_modulo(to_output[flow->signal[i].in[k]], to_output[i]);
    for (int i = 0; i < flow->count; i++)
        is_trunk[i] = to_output[i] && multiply_modulo(from_input[i], to_output[i]) == to_output[0];
}

static Paths find_paths(const SignalFlow *flow, Arena *arena)
{
    Paths p = {.reader = ARENA_ARRAY(arena, int, flow->count),
               .leads_to_weights = ARENA_ARRAY(arena, bool, flow->count),
               .is_trunk = ARENA_ARRAY(arena, bool, flow->count),
               .depth = ARENA_ARRAY(arena, int, flow->count)};
    for (int i = 0; i < flow->count; i++) {
        const Signal *s = &flow->signal[i];
        p.reader[i] = NO_READER;
        for (int k = 0; k < s->inputs; k++)
            p.depth[i] = p.depth[s->in[k]] > p.depth[i] ? p.depth[s->in[k]] : p.depth[i];
        p.depth[i] += s->role == SIGNAL_WEIGHTS;
    }
    for (int i = flow->count - 1; i >= 0; i--)
        for (int k = 0; k < flow->signal[i].inputs; k++) {
            const int in = flow->signal[i].in[k];
            p.reader[in] = p.reader[in] == NO_READER ? i : MANY_READERS;
            p.leads_to_weights[in] |= p.leads_to_weights[i] || flow->signal[i].role == SIGNAL_WEIGHTS;
        }
    find_trunk(flow, p.is_trunk, arena);
    return p;
}

/* Fills in what follows the layer up to its activation. Returns the activation's signal, NULL where there is none. */
static const Signal *follow(const SignalFlow *flow, const Paths *paths, int index, PredictedLayer *layer)
{
    double log_chi = log(layer->weight_variance);
    layer->activation = "";
    for (int i = paths->reader[index]; i >= 0; i = paths->reader[i]) {
        const Signal *s = &flow->signal[i];
        if (s->role == SIGNAL_NORM) {
            layer->is_normalised = true;
            log_chi += s->log_factor[0];
        } else if (s->role == SIGNAL_ACTIVATION) {
            layer->activation = layer_type_name(s->layer);
            layer->chi = exp(log_chi) * s->moments.slope_2;
            return s;
        } else if (s->role != SIGNAL_PASS) {
            break;
        }
    }
    layer->chi = exp(log_chi);
    return NULL;
}

/* A unit is dead where its pre-activation is negative for all inputs: half of them, but for what the biases add. */
static double chance_born_dead(const Signal *weights, const Signal *activation, const PredictedLayer *layer)
{
    if (!activation || activation->layer->type != &layer_relu || layer->is_normalised)
        return 0;
    const double spread = sqrt(fmax(weights->square - weights->mean * weights->mean, 0));
    const double dead = spread > 0 ? 0.5 * erfc(weights->mean / spread * M_SQRT1_2) : weights->mean <= 0;
    return pow(dead, layer->width);
}

static PredictedLayer predict_layer(Arena *arena, const SignalFlow *flow, const Paths *paths, int index, double *excess)
{
    const Signal *s = &flow->signal[index];
    PredictedLayer layer = {
        .name = arena_strdup(arena, layer_path(s->layer)),
        .width = s->layer->own[0].parameter->shape.dim[0],
        .fan_in = s->fan_in,
        .weight_variance = s->weight_variance,
        .bias_variance = s->bias_variance,
        .q = s->square,
        .flow = NAN,
        .in_residual = !paths->is_trunk[index],
        .depth = paths->depth[index],
        .is_output = !paths->leads_to_weights[index],
    };
    const Signal *activation = follow(flow, paths, index, &layer);
    if (s->is_unknown)
        layer.q = layer.chi = NAN;
    else
        layer.born_dead = chance_born_dead(s, activation, &layer);
    const MeanFieldMoments *m = activation ? &activation->moments : NULL;
    *excess = (m && m->slope_2 > 0 ? 3 * m->slope_4 / (m->slope_2 * m->slope_2) : 3) - 1;
    return layer;
}

/* First and last hidden layer of the trunk, or of what stands beside it, where a shortcut is not as deep as its branch. */
static int choose_ends(Prediction *p, bool in_residual)
{
    int count = 0;
    for (int i = 0; i < p->layers; i++)
        if (!p->layer[i].is_output && p->layer[i].in_residual == in_residual) {
            if (!count++)
                p->first = p->last = i;
            p->last = p->layer[i].depth >= p->layer[p->last].depth ? i : p->last;
        }
    return count;
}

/* Flows relative to the last hidden layer; `gradient` is ln of the mean square of each layer. */
static void relate_flows(Prediction *p, const double gradient[])
{
    p->first = p->last = -1;
    if (choose_ends(p, false) < 2) {
        const int first = p->first, last = p->last;
        if (choose_ends(p, true) < 2 && last >= 0) { /* one layer of the trunk is still the better reference */
            p->first = first;
            p->last = last;
        }
    }
    for (int i = 0; p->is_supported && p->last >= 0 && i < p->layers; i++)
        if (!p->layer[i].is_output && isfinite(gradient[i]) && isfinite(gradient[p->last]))
            p->layer[i].flow = exp((gradient[i] - gradient[p->last]) / 2);
    p->flow_ratio = p->last >= 0 && p->is_supported ? p->layer[p->first].flow / p->layer[p->last].flow : NAN;
}

/* A gradient that comes down to layer `low` fluctuates by what each layer with weights on its way adds, the upper end
 * left out. Of branches, those of the two ends count, which the other one's gradient does not pass. */
static double variance_between(const Prediction *p, const double excess[], int low, int high)
{
    double variance = 0;
    for (int i = low; i <= high && low < high; i++) {
        const PredictedLayer *layer = &p->layer[i];
        if (i == low || (i == high ? layer->in_residual : !layer->in_residual))
            variance += excess[i] / layer->width;
    }
    return variance;
}

static void spread_flows(Prediction *p, const double excess[])
{
    for (int i = 0; i < p->layers; i++)
        if (isfinite(p->layer[i].flow))
            p->layer[i].log_variance =
                i < p->last ? variance_between(p, excess, i, p->last) : variance_between(p, excess, p->last, i);
}

static void sum_up(Prediction *p, const double excess[])
{
    double log_chi = 0, log_alive = 0;
    int hidden = 0;
    for (int i = 0; i < p->layers; i++) {
        const PredictedLayer *layer = &p->layer[i];
        if (layer->is_output)
            continue;
        if (*layer->activation && layer->chi > 0) {
            log_chi += log(layer->chi);
            hidden++;
        }
        if (layer->in_residual)
            continue;
        p->beta += 1.0 / layer->width;
        p->log_variance += excess[i] / layer->width;
        log_alive += log1p(-layer->born_dead);
    }
    p->log_mean = 0 - p->log_variance / 2; /* not -0 */
    p->born_dead = 0 - expm1(log_alive);   /* not -0 */
    p->chi_mean = hidden && p->is_supported ? exp(log_chi / hidden) : NAN;
    p->depth_scale = 1 / fabs(log(p->chi_mean));
}

static Prediction *unsupported(Prediction *p, const char *reason)
{
    p->is_supported = false;
    p->reason = reason;
    return p;
}

Prediction *prediction_new(Arena *arena, const Config *config)
{
    Prediction *p = ARENA_NEW(arena, Prediction);
    *p = (Prediction){
        .first = -1, .last = -1, .is_supported = true, .reason = "", .flow_ratio = NAN, .chi_mean = NAN, .depth_scale = NAN};
    if (config->gan)
        return unsupported(p, "a GAN has two nets that learn from each other");
    Arena *scratch = arena_new(arena);
    const SignalFlow *flow = signal_flow_new(scratch, config);
    const Paths paths = find_paths(flow, scratch);
    double *gradient = ARENA_ARRAY(scratch, double, flow->count), *excess = ARENA_ARRAY(scratch, double, flow->count);
    p->layer = ARENA_ARRAY(arena, PredictedLayer, flow->count);
    int hidden = 0;
    for (int i = 0; i < flow->count; i++) {
        if (flow->signal[i].role != SIGNAL_WEIGHTS)
            continue;
        gradient[p->layers] = flow->signal[i].log_gradient;
        p->layer[p->layers] = predict_layer(arena, flow, &paths, i, &excess[p->layers]);
        hidden += !p->layer[p->layers++].is_output;
    }
    if (flow->unknown)
        unsupported(p, arena_strdup(arena, flow->unknown));
    else if (!hidden)
        unsupported(p, "it has no hidden layers");
    relate_flows(p, gradient);
    spread_flows(p, excess);
    sum_up(p, excess);
    arena_free(scratch);
    return p;
}

Prediction *prediction_of_run(Arena *arena, const char *folder, Error *err)
{
    Arena *scratch = arena_new(arena);
    const Config *config = config_read(scratch, path_join(scratch, folder, "config.json"), NULL, 0, err);
    Prediction *prediction = config ? prediction_new(arena, config) : NULL;
    arena_free(scratch);
    return prediction;
}

double prediction_low(const PredictedLayer *layer)
{
    return layer->flow * exp(-layer->log_variance / 4 - sqrt(layer->log_variance) / 2);
}

double prediction_high(const PredictedLayer *layer)
{
    return layer->flow * exp(-layer->log_variance / 4 + sqrt(layer->log_variance) / 2);
}

static double measured_of(const MeasuredFlow *measured, const char *name)
{
    for (int i = 0; i < measured->layers; i++)
        if (strcmp(measured->name[i], name) == 0)
            return measured->rms[i];
    return run_missing();
}

double prediction_measured(const Prediction *prediction, int layer, const MeasuredFlow *measured)
{
    if (prediction->last < 0 || prediction->layer[layer].is_output)
        return run_missing();
    const double rms = measured_of(measured, prediction->layer[layer].name);
    const double last = measured_of(measured, prediction->layer[prediction->last].name);
    if (run_is_missing(rms) || run_is_missing(last))
        return run_missing();
    if (!isfinite(rms) || !isfinite(last))
        return NAN;
    return rms == 0 ? 0 : rms / last;
}
