#include "train/gan.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/gan_config.h"
#include "train/trainer_internal.h"

enum { SAMPLER_LIMIT = 2 };

struct GanTrainer {
    const ModelNet *generator, *critic;
    StepGraph *sampler[SAMPLER_LIMIT]; /* the generator's output, by batch size */
    int samplers;
    float *samples, *labels; /* of the critic's batch: real ones, then fake ones */
};

static StepGraph *sampler_for(Trainer *t, int64_t batch, Error *err)
{
    struct GanTrainer *gan = t->gan;
    for (int i = 0; i < gan->samplers; i++)
        if (gan->sampler[i]->batch == batch)
            return gan->sampler[i];
    StepGraph *g = step_graph_new_sampler(t->arena, t->config, gan->generator, (int)batch, t->variant, err);
    if (g)
        gan->sampler[gan->samplers++] = g;
    return g;
}

static bool build_critic(Trainer *t, int64_t first, int64_t last, bool measured, Error *err)
{
    return trainer_graph(t, t->gan->critic, 2 * first, measured, err) &&
           trainer_graph(t, t->gan->critic, 2 * last, measured, err);
}

bool gan_prepare(Trainer *t, Error *err)
{
    const Config *config = t->config;
    const ModelNet *net = config->model->net;
    int64_t first = config_micro_size(config, 0), last = config_micro_size(config, config_micro_batches(config) - 1);
    size_t rows = 2 * (size_t)first;
    struct GanTrainer *gan = t->gan = ARENA_NEW(t->arena, struct GanTrainer);
    *gan = (struct GanTrainer){
        .generator = &net[GAN_GENERATOR],
        .critic = &net[GAN_CRITIC],
        .samples = arena_try(t->arena, sizeof(float) * rows * shape_count(net[GAN_CRITIC].input)),
        .labels = ARENA_ARRAY(t->arena, float, rows *shape_count(config->targets.shape)),
    };
    if (!gan->samples)
        return error_add(err, "a critic's batch of %zu samples cannot be had", rows);
    /* Where not every step is measured, one of the first three is not; and of a measured step, only the critic's last update
     * is. */
    for (int64_t step = 1; step <= 3; step++)
        if (!build_critic(t, first, last, trainer_measures(t, step), err) ||
            !trainer_graph(t, gan->generator, first, trainer_measures(t, step), err))
            return false;
    return (config->gan->critic_steps <= 1 || build_critic(t, first, last, false, err)) && sampler_for(t, first, err) &&
           sampler_for(t, last, err);
}

/* Writes the latent vectors of the next run: standard normal. */
static void draw_latent(const Trainer *t, const StepGraph *g)
{
    Random random = random_stream(t->config->seed, RANDOM_LATENT, t->runs);
    size_t count = (size_t)g->batch * shape_count(t->gan->generator->input);
    for (size_t i = 0; g->input && i < count; i++)
        g->input[i] = (float)random_normal(&random, i);
}

static void fill(float *values, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        values[i] = value;
}

/* The next micro-batch of the data, and as many samples of the generator. */
static bool gather(Trainer *t, int64_t size, Error *err)
{
    const Config *config = t->config;
    const Dataset *data = &config->data.training;
    const size_t values = (size_t)size * shape_count(data->input), scores = (size_t)size * shape_count(config->targets.shape);
    struct GanTrainer *gan = t->gan;
    if (!t->micro)
        dataset_order(data->samples, config->seed, (uint64_t)(t->epoch - 1), config->train.shuffle, t->order);
    dataset_gather(data, t->order + t->micro * config->train.batch_size, (size_t)size, gan->samples, NULL);
    const StepGraph *sampler = sampler_for(t, size, err);
    if (!sampler)
        return false;
    draw_latent(t, sampler);
    workspace_context(sampler->workspace)->step = t->runs;
    plan_run(sampler->plan, sampler->workspace, t->threads);
    t->sampler = sampler;
    memcpy(gan->samples + values, sampler->output, sizeof(float) * values);
    fill(gan->labels, scores, config->gan->real);
    fill(gan->labels + scores, scores, config->gan->fake);
    if (++t->micro == config_micro_batches(config)) {
        t->micro = 0;
        t->epoch++;
    }
    return true;
}

/* Penalised are the critic's slopes between pairs of the batch, or at all of its samples. */
static void place_penalty(Trainer *t, const StepGraph *g)
{
    const Penalty *penalty = t->config->penalty;
    const struct GanTrainer *gan = t->gan;
    if (!g->interpolates)
        return;
    /* The labels of one sample are all alike, and the first of each sample says which it is. */
    size_t scores = shape_count(t->config->targets.shape);
    for (int i = 0; i < g->batch; i++)
        gan->labels[i] = gan->labels[(size_t)i * scores];
    penalty_interpolate(gan->samples, gan->labels, g->batch, shape_count(gan->critic->input), penalty_rows(penalty, g->batch),
                        t->config->seed, t->runs, g->interpolates);
}

/* Runs the graph of an update and changes the net's weights. */
static bool update(Trainer *t, const StepGraph *g, const Share *share, bool measured, StepReport *report, Error *err)
{
    memcpy(t->gradient, g->gradient, sizeof *t->gradient * (size_t)t->config->model->parameters);
    trainer_run_graph(t, g, share, measured, report);
    return trainer_show_hooks(t, g, 0, err) && trainer_update(t, 1, measured, report, err);
}

static bool update_critic(Trainer *t, bool measured, StepReport *report, const StepGraph **last, Error *err)
{
    const Config *config = t->config;
    int64_t size = config_micro_size(config, t->micro);
    const StepGraph *g = *last = trainer_graph(t, t->gan->critic, 2 * size, measured, err);
    t->net = t->gan->critic;
    t->optimizer = config->optimizer;
    trainer_begin_update(t);
    if (!g || !gather(t, size, err))
        return false;
    const size_t scores = (size_t)size * shape_count(config->targets.shape);
    if (g->input)
        memcpy(g->input, t->gan->samples, sizeof(float) * 2 * (size_t)size * shape_count(t->gan->critic->input));
    if (g->target)
        memcpy(g->target, t->gan->labels, sizeof(float) * 2 * scores);
    place_penalty(t, g);
    Share share = {.loss = 1 / (double)scores};
    if (config->penalty) {
        share.rows = penalty_rows(config->penalty, g->batch);
        share.penalty = config->penalty->weight / (double)share.rows;
    }
    report->samples = size;
    return update(t, g, &share, measured, report, err);
}

static bool update_generator(Trainer *t, bool measured, StepReport *report, Error *err)
{
    const Config *config = t->config;
    const StepGraph *g = trainer_graph(t, t->gan->generator, config_micro_size(config, 0), measured, err);
    t->net = t->gan->generator;
    t->optimizer = config->gan->generator_optimizer;
    trainer_begin_update(t);
    if (!g)
        return false;
    const size_t scores = (size_t)g->batch * shape_count(config->targets.shape);
    draw_latent(t, g);
    if (g->target)
        fill(g->target, scores, config->gan->real);
    return update(t, g, &(Share){.loss = 1 / (double)scores}, measured, report, err);
}

/* A measured step begins; until a net is updated in it, its weights have no gradient. */
static void begin_measured(const Trainer *t)
{
    const Observer *observer = t->observer;
    if (observer->begin)
        observer->begin(observer->context, t->step + 1);
    for (int i = 0; observer->gradient && i < t->config->model->parameters; i++)
        observer->gradient(observer->context, i, NULL, 0);
}

static void add_generator(StepReport *report, const StepReport *generator)
{
    report->grad_norm = hypot(report->grad_norm, generator->grad_norm);
    report->clipped_norm = hypot(report->clipped_norm, generator->clipped_norm);
    report->skipped |= generator->skipped;
    report->generator_loss = generator->loss;
    report->has_generator_loss = true;
}

TrainStatus gan_make_step(Trainer *t, Error *err)
{
    const int64_t critic_steps = t->config->gan->critic_steps;
    const bool measured = trainer_measures(t, t->step + 1);
    StepReport report = {.step = t->step + 1, .epoch = t->epoch, .scale = trainer_scale(t)}, generator = {0};
    const StepGraph *critic = NULL;
    int64_t samples = 0, epoch = t->epoch;
    bool is_skipped = false;
    if (measured)
        begin_measured(t);
    t->is_stopped = false;
    for (int64_t k = 0; k < critic_steps && !t->is_stopped; k++) {
        t->is_reported = k == critic_steps - 1;
        report = (StepReport){.step = t->step + 1, .epoch = epoch, .scale = trainer_scale(t)};
        if (!update_critic(t, measured && t->is_reported, &report, &critic, err))
            return TRAIN_FAILED;
        t->is_torn = t->is_stopped && k;
        samples += report.samples;
        is_skipped |= report.skipped;
    }
    report.samples = samples;
    report.skipped = is_skipped;
    if (!t->is_stopped) {
        t->is_reported = true;
        if (!update_generator(t, measured, &generator, err))
            return TRAIN_FAILED;
        t->is_torn = t->is_stopped && critic_steps;
        add_generator(&report, &generator);
        const ModelNet *net = t->gan->critic;
        if (critic)
            memcpy(t->gradient + net->parameter, critic->gradient + net->parameter,
                   sizeof *t->gradient * (size_t)net->parameters);
        else
            report.lr = generator.lr;
    }
    return trainer_end_step(t, &report, measured, err);
}
