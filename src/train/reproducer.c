#include "train/reproducer.h"

#include <string.h>

#include "base/file.h"
#include "tensor/npy_file.h"
#include "tensor/tensor_file.h"

static void set_number(Arena *arena, Json *object, const char *key, double value)
{
    json_add_member(arena, object, key, json_new_number(arena, value));
}

static void set_string(Arena *arena, Json *object, const char *key, const char *value)
{
    json_add_member(arena, object, key, json_new_string(arena, value));
}

static void set_bool(Arena *arena, Json *object, const char *key, bool value)
{
    Json *item = json_new(arena, JSON_BOOL);
    item->number = value;
    json_add_member(arena, object, key, item);
}

/* The schedule's rate of that step becomes the optimizer's own, and that of its groups. */
static void fix_rates(const NonfiniteReport *r, Json *optimizer, Arena *arena)
{
    const Json *lr = json_member(optimizer, "lr");
    if (lr)
        set_number(arena, optimizer, "lr", schedule_rate_from(r->config->schedule, lr->number, r->step - 1));
    const Json *groups = json_member(optimizer, "groups");
    for (Json *group = groups ? groups->first : NULL; group; group = group->next)
        fix_rates(r, group, arena);
}

static Json *train_object(const NonfiniteReport *r, Arena *arena)
{
    Json *train = json_new(arena, JSON_OBJECT);
    set_number(arena, train, "steps", 1);
    set_number(arena, train, "batch_size", (double)r->batch.batch_size);
    set_number(arena, train, "accumulate", (double)r->batch.accumulate);
    set_bool(arena, train, "shuffle", false);
    set_string(arena, train, "nonfinite", "stop");
    set_number(arena, train, "first_draw", (double)r->batch.first_draw);
    return train;
}

/* What the run was, but for what is told anew here. */
static Json *copy_config(const NonfiniteReport *r, Arena *arena)
{
    static const char *const others[] = {"name",     "data",  "weights", "optimizer_state",
                                         "schedule", "train", "monitor", "output"};
    Json *root = json_new(arena, JSON_OBJECT);
    set_string(arena, root, "name", arena_printf(arena, "%.70s-step-%lld", r->config->name, (long long)r->step));
    for (const Json *item = r->config->json->first; item; item = item->next) {
        bool is_other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            is_other |= !strcmp(item->key, others[i]);
        if (!is_other)
            json_add_member(arena, root, item->key, json_copy(arena, item));
    }
    return root;
}

static Json *make_config(const NonfiniteReport *r, Arena *arena)
{
    Json *root = copy_config(r, arena), *gan = json_member(root, "gan");
    Json *data = json_new(arena, JSON_OBJECT), *output = json_new(arena, JSON_OBJECT);
    set_string(arena, data, "type", "npy");
    set_string(arena, data, "inputs", "inputs.npy");
    set_string(arena, data, "targets", "targets.npy");
    json_add_member(arena, root, "data", data);
    set_string(arena, root, "weights", "weights.safetensors");
    if (r->batch.needs_optimizer)
        set_string(arena, root, "optimizer_state", "optimizer.safetensors");
    fix_rates(r, json_member(root, "optimizer"), arena);
    if (gan) {
        fix_rates(r, json_member(gan, "generator_optimizer"), arena);
        fix_rates(r, json_member(gan, "critic_optimizer"), arena);
        set_number(arena, gan, "critic_steps", (double)r->batch.critic_steps);
    }
    if (r->config->precision.has_scaler)
        set_number(arena, json_member(json_member(root, "precision"), "scaler"), "init_scale", r->scale);
    json_add_member(arena, root, "train", train_object(r, arena));
    set_bool(arena, output, "plots", false);
    json_add_member(arena, root, "output", output);
    return root;
}

static bool write_data(const NonfiniteReport *r, const char *folder, Arena *scratch, Error *err)
{
    const Dataset *data = &r->config->data.training;
    const size_t count = (size_t)r->batch.count;
    float *inputs = arena_try(scratch, sizeof(float) * count * shape_count(data->input));
    float *targets = arena_try(scratch, sizeof(float) * count * shape_count(data->target));
    if (!inputs || !targets)
        return error_add(err, "no memory for the %zu samples of the step that was not finite", count);
    dataset_gather(data, r->batch.order, count, inputs, targets);
    return npy_file_write(path_join(scratch, folder, "inputs.npy"), count, data->input, inputs, false, scratch, err) &&
           npy_file_write(path_join(scratch, folder, "targets.npy"), count, data->target, targets, data->target_classes > 0,
                          scratch, err);
}

bool reproducer_write(const NonfiniteReport *r, const char *folder, Arena *scratch, Error *err)
{
    const Model *model = r->config->model;
    Text text = text_new(scratch);
    int count = 0;
    json_write(&text, make_config(r, scratch), 0);
    text_add_char(&text, '\n');
    if (!file_make_folder(folder, err) || !write_data(r, folder, scratch, err) ||
        !tensor_file_write(path_join(scratch, folder, "weights.safetensors"), model->state, model->states, scratch, err))
        return false;
    Parameter *const *state = r->batch.needs_optimizer ? config_optimizer_state(r->config, &count, scratch) : NULL;
    return (!state || tensor_file_write(path_join(scratch, folder, "optimizer.safetensors"), state, count, scratch, err)) &&
           file_write(path_join(scratch, folder, "config.json"), text.at, text.length, err);
}
