/* A config of its own, made of the other's JSON and a few of its samples, trained and thrown away. */
#include "diagnose/overfit_trial.h"

#include <math.h>
#include <string.h>

#include "diagnose/probe.h"
#include "train/trainer.h"

/* Of the first loss; below it nothing is left to show. */
static const double learned = 0.01;

static void set(Arena *arena, Json *object, const char *key, Json *value)
{
    if (object)
        json_add_member(arena, object, key, value);
}

static void set_where_present(Arena *arena, Json *object, const char *key, double value)
{
    if (json_member(object, key))
        set(arena, object, key, json_new_number(arena, value));
}

static void switch_dropout_off(Arena *arena, Json *value)
{
    const Json *type = json_member(value, "type");
    if (type && type->type == JSON_STRING && !strcmp(type->string, "dropout"))
        set(arena, value, "p", json_new_number(arena, 0));
    for (Json *child = value->first; child; child = child->next)
        switch_dropout_off(arena, child);
}

static void change_optimizer(Arena *arena, Json *optimizer)
{
    const Json *groups = json_member(optimizer, "groups");
    set_where_present(arena, optimizer, "weight_decay", 0);
    for (Json *group = groups ? groups->first : NULL; group; group = group->next)
        set_where_present(arena, group, "weight_decay", 0);
}

static void change_training(Arena *arena, Json *train, int64_t samples, int64_t steps)
{
    set(arena, train, "epochs", json_new(arena, JSON_NULL));
    set(arena, train, "steps", json_new_number(arena, (double)steps));
    set(arena, train, "batch_size", json_new_number(arena, (double)samples));
    set(arena, train, "accumulate", json_new_number(arena, 1));
    set(arena, train, "shuffle", json_new(arena, JSON_BOOL)); /* false */
    set(arena, train, "nonfinite", json_new_string(arena, "stop"));
}

static Json *trial_json(Arena *arena, const Config *config, int64_t samples, int64_t steps)
{
    Json *json = json_copy(arena, config->json), *schedule = json_new(arena, JSON_OBJECT);
    set(arena, schedule, "type", json_new_string(arena, "constant"));
    set(arena, json, "schedule", schedule);
    set(arena, json, "penalty", json_new(arena, JSON_NULL));
    set(arena, json, "optimizer_state", json_new(arena, JSON_NULL)); /* it is of another batch */
    set_where_present(arena, json_member(json, "loss"), "label_smoothing", 0);
    change_optimizer(arena, json_member(json, "optimizer"));
    change_training(arena, json_member(json, "train"), samples, steps);
    switch_dropout_off(arena, json_member(json, "model"));
    return json;
}

/* The first samples of the first epoch. */
static DataSplit first_samples(Arena *arena, const Config *config, size_t samples)
{
    const Dataset *all = &config->data.training;
    DataSplit split = {.type = config->data.type, .training = *all};
    Dataset *few = &split.training;
    uint32_t *order = ARENA_ARRAY(arena, uint32_t, all->samples);
    dataset_order(all->samples, config->seed, 0, config->train.shuffle, order);
    few->samples = samples;
    few->inputs = ARENA_ARRAY(arena, float, samples *shape_count(all->input));
    few->targets = ARENA_ARRAY(arena, float, samples *shape_count(all->target));
    dataset_gather(all, order, samples, few->inputs, few->targets);
    return split;
}

static bool note_loss(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    (void)measured, (void)clip, (void)err;
    OverfitTrial *trial = context;
    if (!trial->steps++)
        trial->first_loss = trial->best_loss = report->loss;
    trial->last_loss = report->loss;
    trial->best_loss = fmin(trial->best_loss, report->loss);
    return true;
}

/* False: an error. */
static bool train(OverfitTrial *trial, Config *config, Arena *scratch, Threads *threads, Error *err)
{
    const Observer observer = {.context = trial, .stepped = note_loss};
    Trainer *trainer = trainer_new(scratch, config, threads, &observer, err);
    if (!trainer)
        return false;
    TrainStatus status = TRAIN_COMPLETED;
    while (status == TRAIN_COMPLETED && trial->steps < config->train.steps &&
           !(trial->steps && trial->last_loss < learned * trial->first_loss))
        status = trainer_step(trainer, err);
    trial->diverged = status == TRAIN_DIVERGED;
    return status != TRAIN_FAILED;
}

/* As training sees the batch, with its own statistics: the running ones are not there yet. */
static bool judge(OverfitTrial *trial, const Config *config, Arena *scratch, Threads *threads, Error *err)
{
    const Probe *probe = probe_new(scratch, config, trial->samples, threads, err);
    trial->error_rate = probe ? 1 - probe->accuracy : NAN;
    return probe != NULL;
}

static bool has_meaning(const Config *config)
{
    return !config->gan && strcmp(loss_name(config->loss), "wasserstein") != 0 &&
           strcmp(loss_name(config->loss), "mean_output") != 0;
}

OverfitTrial *overfit_trial_new(Arena *arena, const Config *config, int64_t samples, int64_t steps, Threads *threads,
                                Error *err)
{
    if (!has_meaning(config))
        return NULL;
    Arena *scratch = arena_new(arena);
    OverfitTrial *trial = ARENA_NEW(arena, OverfitTrial);
    const int64_t all = (int64_t)config->data.training.samples;
    trial->samples = samples < all ? samples : all;
    const DataSplit data = first_samples(scratch, config, (size_t)trial->samples);
    Config *few = config_build(scratch, trial_json(scratch, config, trial->samples, steps), config->path, &data, err);
    const bool fine = few && train(trial, few, scratch, threads, err) && judge(trial, few, scratch, threads, err);
    arena_free(scratch);
    return fine ? trial : NULL;
}
