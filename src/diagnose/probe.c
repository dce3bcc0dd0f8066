/* A training step's graph, run batch by batch with nothing learned; what it leaves is gone through layer by layer. */
#include "diagnose/probe.h"

#include <math.h>

#include "diagnose/layer_scan.h"
#include "diagnose/twin_rows.h"
#include "train/step_graph.h"

enum { LEAST_BATCH = 32 };
/* Bytes of layers' outputs and gradients that a batch may have. */
static const double memory_budget = 256.0 * (1 << 20);

typedef struct Prober {
    Arena *scratch;
    const Config *config;
    Threads *threads;
    StepGraph *graph;
    int64_t batch, batches;
    uint32_t *order;
    float *inputs, *targets; /* of a batch; the inputs where interpolates are made of them */
    float **gradient;        /* of each weight, summed over the batches; NULL where it has none */
    LayerScan *scan;
    Statistics output;
    double sum, terms, correct, decisions; /* of the loss, and of its accuracy */
    double *loss;                          /* of each sample that has one */
    int64_t losses;
} Prober;

/* Batches of one size, so that one graph does: as few as possible, and then as small as that allows. */
static void choose_batch(Prober *p, int64_t samples)
{
    const Model *model = p->config->model;
    double bytes = 0;
    for (int i = 0; i < model->leaves; i++)
        bytes += 2 * sizeof(float) * (double)shape_count(layer_output(model->leaf[i]));
    int64_t size = p->config->train.batch_size, most = (int64_t)fmin(memory_budget / bytes, 1 << 24);
    size = size < LEAST_BATCH ? LEAST_BATCH : size;
    size = size > most ? most : size;
    size = size < 1 ? 1 : size;
    p->batches = (samples + size - 1) / size;
    p->batch = samples / p->batches;
}

/* Sums of gradients over batches need memory of their own; of one batch they are read where they stand. */
static bool make_sums(Prober *p, Error *err)
{
    const Model *model = p->config->model;
    p->gradient = ARENA_ARRAY(p->scratch, float *, model->parameters);
    for (int i = 0; i < model->parameters; i++) {
        p->gradient[i] = p->graph->gradient[i];
        if (!p->gradient[i] || p->batches == 1)
            continue;
        const size_t bytes = sizeof(float) * shape_count(model->parameter[i]->shape);
        p->gradient[i] = arena_try(p->scratch, bytes);
        if (!p->gradient[i])
            return error_add(err, "a look at the gradient of %s needs %zu bytes, which cannot be had",
                             model->parameter[i]->name, bytes);
    }
    return true;
}

static bool prepare(Prober *p, int64_t limit, Error *err)
{
    const Config *config = p->config;
    const Dataset *data = &config->data.training;
    const Model *model = config->model;
    choose_batch(p, limit < (int64_t)data->samples ? limit : (int64_t)data->samples);
    p->graph = step_graph_new_probe(p->scratch, config, (int)p->batch, variant_best(), err);
    if (!p->graph || !make_sums(p, err))
        return false;
    p->order = ARENA_ARRAY(p->scratch, uint32_t, data->samples);
    dataset_order(data->samples, config->seed, 0, config->train.shuffle, p->order);
    p->targets = ARENA_ARRAY(p->scratch, float, (size_t)p->batch *shape_count(data->target));
    if (p->graph->interpolates)
        p->inputs = ARENA_ARRAY(p->scratch, float, (size_t)p->batch *shape_count(data->input));
    p->loss = ARENA_ARRAY(p->scratch, double, p->batch * p->batches);
    p->output = statistics_empty();
    p->scan = ARENA_ARRAY(p->scratch, LayerScan, model->leaves);
    for (int i = 0; i < model->leaves; i++)
        layer_scan_begin(&p->scan[i], model->leaf[i], p->scratch);
    return true;
}

/* Writes the graph's inputs and runs it. */
static void run_batch(Prober *p, int64_t index)
{
    const Config *config = p->config;
    const Dataset *data = &config->data.training;
    StepGraph *g = p->graph;
    const uint32_t *order = p->order + index * p->batch;
    const size_t size = (size_t)p->batch;
    dataset_gather(data, order, size, g->input, g->target);
    dataset_gather(data, order, size, p->inputs, p->targets);
    const double terms = loss_terms(config->loss, config->model->output, p->targets, size);
    if (g->factor)
        *g->factor = loss_is_sum(config->loss) ? 1 : terms > 0 ? (float)(1 / terms) : 0;
    if (g->penalty_factor) {
        const int rows = penalty_rows(config->penalty, (int)size);
        *g->penalty_factor = (float)(config->penalty->weight / rows);
        if (g->interpolates)
            penalty_interpolate(p->inputs, p->targets, (int)size, shape_count(data->input), rows, config->seed, (uint64_t)index,
                                g->interpolates);
    }
    plan_run(g->plan, g->workspace, p->threads);
    p->sum += (double)*g->sum;
    p->terms += loss_is_sum(config->loss) ? (double)size : terms;
}

static void add_losses(Prober *p)
{
    const Config *config = p->config;
    const StepGraph *g = p->graph;
    const size_t target = shape_count(config->data.training.target);
    const size_t count = g->terms ? shape_count(g->loss.terms->shape) / (size_t)p->batch : 0;
    for (int64_t s = 0; g->terms && s < p->batch; s++) {
        const float *terms = g->terms + (size_t)s * count;
        double loss = 0, counted = loss_terms(config->loss, config->model->output, p->targets + (size_t)s * target, 1);
        for (size_t i = 0; i < count; i++)
            loss += (double)terms[i];
        if (counted > 0) /* a sample whose targets are all ignored has no loss */
            p->loss[p->losses++] = loss_is_sum(config->loss) ? loss : loss / counted;
    }
    double decisions;
    p->correct += loss_correct(config->loss, config->model->output, g->output, p->targets, (size_t)p->batch, &decisions);
    p->decisions += decisions;
    const Statistics output = statistics_of(variant_best(), g->output, (size_t)p->batch * shape_count(config->model->output));
    statistics_merge(&p->output, &output);
}

static void add_gradients(Prober *p)
{
    const Model *model = p->config->model;
    for (int i = 0; p->batches > 1 && i < model->parameters; i++) {
        const size_t count = p->gradient[i] ? shape_count(model->parameter[i]->shape) : 0;
        for (size_t k = 0; k < count; k++)
            p->gradient[i][k] += p->graph->gradient[i][k];
    }
}

/* Layers are dealt to threads; each is gone through by one. */
static void scan_layers(void *context, int thread, int threads)
{
    const Prober *p = context;
    for (int i = thread; i < p->config->model->leaves; i += threads)
        layer_scan_add(&p->scan[i], p->graph->leaf[i], p->graph->leaf_gradient[i], (size_t)p->batch);
}

static ProbeLayer layer_report(LayerScan *scan, const Layer *layer)
{
    const Statistics *output = &scan->output, *gradient = &scan->gradient;
    const double count = (double)output->count;
    return (ProbeLayer){
        .name = layer_path(layer),
        .type = layer_type_name(layer),
        .units = (int64_t)scan->units,
        .dead = layer_scan_dead(scan),
        .saturated = layer_scan_saturated(scan),
        .mean = statistics_mean(output),
        .std = statistics_std(output),
        .max_abs = isnan(output->max) ? NAN : fmax(-output->min, output->max),
        .zeros = (double)output->zeros / count,
        .flow = scan->has_gradient ? sqrt(gradient->square / count) : NAN,
        .unit_deviation = layer_scan_unit_deviation(scan),
        .flow_zeros = scan->has_gradient ? (double)gradient->zeros / count : NAN,
        .nonfinite = (int64_t)output->nonfinite,
        .flow_nonfinite = (int64_t)gradient->nonfinite,
    };
}

static ProbeParameter parameter_report(const Prober *p, int index)
{
    const Parameter *parameter = p->config->model->parameter[index];
    const float *gradient = p->gradient[index];
    const Shape shape = parameter->shape;
    const size_t count = shape_count(shape), rows = shape.rank > 1 ? (size_t)shape.dim[0] : 1;
    TwinRows twins = {NAN, NAN};
    if (rows > 1) {
        Arena *scratch = arena_new(p->scratch);
        twins = twin_rows_find(parameter->data, gradient, rows, count / rows, scratch);
        arena_free(scratch);
    }
    return (ProbeParameter){
        .name = parameter->name,
        .layer = parameter->layer,
        .has_path = gradient != NULL,
        .is_frozen = parameter->frozen,
        .weight_norm = sqrt(statistics_square_sum(variant_best(), parameter->data, NULL, count)),
        .gradient_norm =
            gradient ? sqrt(statistics_square_sum(variant_best(), gradient, NULL, count)) / (double)p->batches : NAN,
        .twins = twins.twins,
        .equal_rows = twins.equal,
    };
}

/* Population deviation of the samples' losses; NaN without any. */
static double loss_deviation(const Prober *p)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < p->losses; i++)
        mean += p->loss[i] / (double)p->losses;
    for (int64_t i = 0; i < p->losses; i++)
        square += (p->loss[i] - mean) * (p->loss[i] - mean);
    return p->losses ? sqrt(square / (double)p->losses) : NAN;
}

static Probe *report(const Prober *p, Arena *arena)
{
    const Model *model = p->config->model;
    Probe *probe = ARENA_NEW(arena, Probe);
    *probe = (Probe){
        .samples = p->batch * p->batches,
        .batch = p->batch,
        .loss = p->sum / p->terms,
        .loss_deviation = loss_deviation(p),
        .accuracy = p->decisions > 0 ? p->correct / p->decisions : NAN,
        .output_min = p->output.min,
        .output_max = p->output.max,
        .output_std = statistics_std(&p->output),
        .layer = ARENA_ARRAY(arena, ProbeLayer, model->leaves),
        .layers = model->leaves,
        .parameter = ARENA_ARRAY(arena, ProbeParameter, model->parameters),
        .parameters = model->parameters,
    };
    for (int i = 0; i < model->leaves; i++)
        probe->layer[i] = layer_report(&p->scan[i], model->leaf[i]);
    for (int i = 0; i < model->parameters; i++)
        probe->parameter[i] = parameter_report(p, i);
    return probe;
}

Probe *probe_new(Arena *arena, const Config *config, int64_t limit, Threads *threads, Error *err)
{
    if (config->gan)
        return NULL;
    Prober prober = {.scratch = arena_new(arena), .config = config, .threads = threads};
    bool is_ready = prepare(&prober, limit, err);
    for (int64_t i = 0; is_ready && i < prober.batches; i++) {
        run_batch(&prober, i);
        add_losses(&prober);
        add_gradients(&prober);
        if (threads)
            threads_run(threads, scan_layers, &prober);
        else
            scan_layers(&prober, 0, 1);
    }
    Probe *probe = is_ready ? report(&prober, arena) : NULL;
    arena_free(prober.scratch);
    return probe;
}
