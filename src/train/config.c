/* Reading a config: files inlined, assignments made, each part read by the floor that owns it, then the parts checked together.
 */
#include "train/config.h"

#include <stddef.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "tensor/tensor_file.h"
#include "train/data_check.h"
#include "train/gan_config.h"

typedef struct RootOptions {
    const char *name, *weights, *optimizer_state;
    int64_t seed;
    Json *model, *gan, *data, *loss, *optimizer, *schedule, *train, *clip, *penalty, *precision, *hooks, *monitor, *rules,
        *output;
} RootOptions;

static const Field root_fields[] = {
    {"name", FIELD_STRING, offsetof(RootOptions, name), .help = "the run's name; by default the file's"},
    {"seed", FIELD_INTEGER, offsetof(RootOptions, seed), "0", .limit = FIELD_NOT_NEGATIVE,
     .help = "of weights, order and generated data"},
    {"model", FIELD_JSON, offsetof(RootOptions, model), .help = "an object or the path of a file"},
    {"gan", FIELD_JSON, offsetof(RootOptions, gan), .help = "instead of model and loss: a generator and a critic"},
    {"weights", FIELD_PATH, offsetof(RootOptions, weights), .help = "safetensors file to start from"},
    {"optimizer_state", FIELD_PATH, offsetof(RootOptions, optimizer_state), .help = "safetensors file of it to start from"},
    {"data", FIELD_JSON, offsetof(RootOptions, data), .required = true, .help = "an object or the path of a file"},
    {"loss", FIELD_JSON, offsetof(RootOptions, loss), .help = "a name or an object"},
    {"optimizer", FIELD_JSON, offsetof(RootOptions, optimizer), "{}", .help = "by default sgd at 0.01"},
    {"schedule", FIELD_JSON, offsetof(RootOptions, schedule), "{}", .help = "by default constant"},
    {"train", FIELD_JSON, offsetof(RootOptions, train), .required = true, .help = "steps or epochs, and how"},
    {"clip", FIELD_JSON, offsetof(RootOptions, clip), .help = "gradient clipping"},
    {"penalty", FIELD_JSON, offsetof(RootOptions, penalty), .help = "what is added to the loss: a gradient penalty"},
    {"precision", FIELD_JSON, offsetof(RootOptions, precision), "{}", .help = "number type of products; loss scaling"},
    {"hooks", FIELD_JSON, offsetof(RootOptions, hooks), "[]", .help = "what watches or changes gradients and outputs"},
    {"monitor", FIELD_JSON, offsetof(RootOptions, monitor), "{}", .help = "what is measured"},
    {"rules", FIELD_JSON, offsetof(RootOptions, rules), .help = "settings of the rules that diagnose, or \"off\", by name"},
    {"output", FIELD_JSON, offsetof(RootOptions, output), "{}", .help = "what is written"},
    {0}};

static const char *const nonfinite_choices[] = {"stop", "skip", "continue", NULL};
static const char *const guard_choices[] = {"off", "warn", "stop", NULL};
static const Field train_fields[] = {
    {"steps", FIELD_INTEGER, offsetof(TrainOptions, steps), .limit = FIELD_POSITIVE, .help = "optimizer steps"},
    {"epochs", FIELD_INTEGER, offsetof(TrainOptions, epochs), .limit = FIELD_POSITIVE, .help = "passes over the data"},
    {"batch_size", FIELD_INTEGER, offsetof(TrainOptions, batch_size), "32", .limit = FIELD_POSITIVE,
     .help = "samples of a micro-batch"},
    {"accumulate", FIELD_INTEGER, offsetof(TrainOptions, accumulate), "1", .limit = FIELD_POSITIVE,
     .help = "micro-batches of a step"},
    {"shuffle", FIELD_BOOL, offsetof(TrainOptions, shuffle), "true", .help = "a new order each epoch; false keeps file order"},
    {"drop_last", FIELD_BOOL, offsetof(TrainOptions, drop_last), "false", .help = "drops an incomplete micro-batch"},
    {"eval_every", FIELD_INTEGER, offsetof(TrainOptions, eval_every), "0", .limit = FIELD_NOT_NEGATIVE,
     .help = "steps between evaluations; 0: each epoch"},
    {"checkpoint_every", FIELD_INTEGER, offsetof(TrainOptions, checkpoint_every), "0", .limit = FIELD_NOT_NEGATIVE,
     .help = "steps between checkpoints; 0: only where training stops"},
    {"checkpoint_keep", FIELD_INTEGER, offsetof(TrainOptions, checkpoint_keep), "2", .limit = FIELD_POSITIVE,
     .help = "checkpoints that stay: the newest ones"},
    {"memory_limit", FIELD_INTEGER, offsetof(TrainOptions, memory_limit), .limit = FIELD_POSITIVE,
     .help = "bytes of workspace; layers are recomputed to stay below"},
    {"nonfinite", FIELD_CHOICE, offsetof(TrainOptions, nonfinite), "\"stop\"", .choices = nonfinite_choices,
     .help = "what to do with a step that is not finite"},
    {"guard", FIELD_CHOICE, offsetof(TrainOptions, guard), "\"warn\"", .choices = guard_choices,
     .help = "diagnosis: none, a verdict at the end, or also a stop at an error"},
    {"first_draw", FIELD_INTEGER, offsetof(TrainOptions, first_draw), .limit = FIELD_NOT_NEGATIVE,
     .help = "random numbers are those of this micro-batch and the next, from 0"},
    {0}};

/* Puts the content of the file that object.KEY names in its place. */
static bool inline_file(Arena *arena, Json *object, const char *key, Error *err)
{
    Json *value = json_member(object, key);
    if (!value || value->type != JSON_STRING)
        return true;
    const char *folder = value->source && value->source->is_file ? path_folder(arena, value->source->name) : ".";
    const char *path = path_join(arena, folder, value->string);
    if (!file_exists(path))
        return error_at(err, value, "cannot read %s: no such file", path);
    Json *content = json_read_file(arena, path, err);
    if (!content)
        return false;
    json_replace(value, content);
    return true;
}

static bool inline_files(Arena *arena, Json *root, Error *err)
{
    Json *gan = json_member(root, "gan");
    bool model = inline_file(arena, root, "model", err), generator = inline_file(arena, gan, "generator", err);
    bool critic = inline_file(arena, gan, "critic", err);
    return inline_file(arena, root, "data", err) && model && generator && critic;
}

/* Does the assignment replace what may be the path of a file, or what holds such paths, as a whole? */
static bool sets_file(const char *assignment)
{
    static const char *const keys[] = {"model", "data", "gan", "gan.generator", "gan.critic"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t length = strlen(keys[i]);
        if (!strncmp(assignment, keys[i], length) && assignment[length] == '=')
            return true;
    }
    return false;
}

Json *config_read_json(Arena *arena, const char *path, const char *const sets[], int count, Error *err)
{
    Json *root = json_read_file(arena, path, err);
    if (!root)
        return NULL;
    if (root->type != JSON_OBJECT) {
        error_at(err, root, "a config is an object: {\"model\": ..., \"data\": ..., \"loss\": ..., \"train\": ...}");
        return NULL;
    }
    bool fine = true;
    for (int i = 0; i < count; i++) /* first what replaces a file by another */
        if (sets_file(sets[i]))
            fine = json_set(arena, root, sets[i], err) && fine;
    fine = fine && inline_files(arena, root, err);
    for (int i = 0; fine && i < count; i++)
        if (!sets_file(sets[i]))
            fine = json_set(arena, root, sets[i], err) && fine;
    return fine ? root : NULL;
}

static bool read_train(Arena *arena, Json *object, TrainOptions *options, Error *err)
{
    if (!fields_read(arena, object, "train", &(FieldSet){train_fields, options}, 1, err))
        return false;
    if (options->steps && options->epochs)
        return error_at(err, json_member(object, "steps"), "train has both `steps` and `epochs`; one of them says how long");
    if (!options->steps && !options->epochs)
        return error_at(err, object, "train needs `steps` or `epochs`");
    if (options->batch_size > 1 << 24)
        return error_at(err, json_member(object, "batch_size"), "a batch of %lld samples is too large",
                        (long long)options->batch_size);
    return true;
}

size_t config_optimizer_bytes(const Config *config)
{
    return optimizer_bytes(config->optimizer) + (config->gan ? optimizer_bytes(config->gan->generator_optimizer) : 0);
}

int64_t config_micro_batches(const Config *config)
{
    int64_t n = (int64_t)config->data.training.samples, batch = config->train.batch_size;
    return config->train.drop_last ? n / batch : (n + batch - 1) / batch;
}

int64_t config_micro_size(const Config *config, int64_t index)
{
    int64_t left = (int64_t)config->data.training.samples - index * config->train.batch_size;
    return left < config->train.batch_size ? left : config->train.batch_size;
}

static bool count_steps(Config *config, const Json *train, Error *err)
{
    int64_t micro = config_micro_batches(config);
    if (micro < 1) {
        error_at(err, json_member(train, "batch_size"), "with `drop_last`, %zu samples fill no batch of %lld",
                 config->data.training.samples, (long long)config->train.batch_size);
        return false;
    }
    int64_t in_step = config->gan ? config->gan->critic_steps : config->train.accumulate;
    in_step = in_step ? in_step : 1;
    config->steps_per_epoch = (micro + in_step - 1) / in_step;
    if (config->train.epochs && config->gan) /* its steps do not end with an epoch */
        config->train.steps = (config->train.epochs * micro + in_step - 1) / in_step;
    else if (config->train.epochs)
        config->train.steps = config->train.epochs * config->steps_per_epoch;
    return true;
}

/* What the reader does not promise: that inputs are tokens, and targets classes. */
static bool check_values(const Config *config, const Json *place, Error *err)
{
    const Dataset *const parts[] = {&config->data.training, &config->data.validation};
    static const char *const names[] = {"training", "validation"};
    const int tokens = config->model->tokens, classes = loss_classes(config->loss, config->model->output);
    bool fine = true;
    for (int i = 0; i < 2; i++) {
        if (tokens && !parts[i]->tokens)
            fine = data_check_tokens(parts[i], names[i], tokens, place, err) && fine;
        if (classes)
            fine = data_check_classes(parts[i], names[i], classes, place, err) && fine;
    }
    return fine;
}

/* Whether the data feeds the model, and the loss compares the two. */
static bool check_parts(Config *config, const RootOptions *root, Arena *scratch, Error *err)
{
    const Dataset *data = &config->data.training;
    const Model *model = config->model;
    const Json *input = json_member(root->model, "input");
    bool fine = true;
    if (data->tokens > model->tokens && model->tokens) {
        fine = error_at(err, input, "the model knows %d tokens, the data has %d", model->tokens, data->tokens);
        error_hint(err, "set the model's `tokens` to at least %d", data->tokens);
    } else if (!shape_equal(model->input, data->input)) {
        fine = error_at(err, input, "the model takes samples of %s, the data gives %s", shape_text(scratch, model->input),
                        shape_text(scratch, data->input));
        error_hint(err, "set the model's `input` to %s", shape_text(scratch, data->input));
    }
    config->targets = (Targets){.shape = data->target, .classes = data->target_classes, .integers = data->targets_are_integers};
    fine = loss_check(config->loss, model->output, &config->targets, root->loss, scratch, err) && fine;
    return fine && check_values(config, root->data, err);
}

static bool load_weights(Config *config, Arena *scratch, Error *err)
{
    const TensorFile *file = tensor_file_read(scratch, config->weights, err);
    return file && tensor_file_load(file, config->model->state, config->model->states, scratch, err);
}

Parameter **config_optimizer_state(const Config *config, int *count, Arena *arena)
{
    const Optimizer *const both[] = {config->optimizer, config->gan ? config->gan->generator_optimizer : NULL};
    int counts[2] = {0};
    Parameter *const *states[2] = {NULL};
    for (int i = 0; i < 2 && both[i]; i++)
        states[i] = optimizer_state(both[i], &counts[i]);
    *count = counts[0] + counts[1];
    Parameter **all = ARENA_ARRAY(arena, Parameter *, *count + 1);
    for (int i = 0, at = 0; i < 2; i++)
        for (int k = 0; states[i] && k < counts[i]; k++)
            all[at++] = states[i][k];
    return all;
}

static bool load_optimizer(const Config *config, Arena *scratch, Error *err)
{
    int count;
    Parameter *const *state = config_optimizer_state(config, &count, scratch);
    const TensorFile *file = tensor_file_read(scratch, config->optimizer_state, err);
    return file && tensor_file_load(file, state, count, scratch, err);
}

/* "a/spiral.json" -> "spiral" */
static const char *name_of_file(Arena *arena, const char *path)
{
    const char *name = path_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? arena_strndup(arena, name, (size_t)(dot - name)) : name;
}

static bool is_a_file_name(const char *name)
{
    return *name && strlen(name) <= 100 && !strpbrk(name, "/\\\n") && name[0] != '.';
}

/* What is trained: a model with a loss, or a GAN. */
static bool check_kind(const RootOptions *root, const Json *json, Error *err)
{
    if (root->gan && root->model)
        return error_at(err, root->model, "the config has both `model` and `gan`; one of them is trained");
    if (root->gan && root->loss) {
        error_at(err, root->loss, "a GAN has no `loss` but gan.loss");
        return error_hint(err, "\"wasserstein\" or \"standard\"");
    }
    if (!root->gan && !root->model)
        error_at(err, json, "the config needs `model` (an object or the path of a file)");
    return root->gan || root->loss || error_at(err, json, "the config needs `loss` (a name or an object)");
}

/* How a model learns. Without a model there are no weights, but the options are read all the same: their mistakes belong in
 * this report. */
static void read_loss_and_optimizer(Config *config, Arena *arena, const RootOptions *root, Error *err)
{
    const Model *model = config->model;
    if (root->loss)
        config->loss = loss_read(arena, root->loss, err);
    config->optimizer =
        optimizer_new(arena, root->optimizer, model ? model->parameter : NULL, model ? model->parameters : 0, err);
}

Config *config_read(Arena *arena, const char *path, const char *const sets[], int count, Error *err)
{
    Json *json = config_read_json(arena, path, sets, count, err);
    return json ? config_build(arena, json, path, NULL, err) : NULL;
}

Config *config_build(Arena *arena, Json *json, const char *path, const DataSplit *data, Error *err)
{
    RootOptions root = {0};
    Config *config = ARENA_NEW(arena, Config);
    *config = (Config){.json = json, .path = path};
    fields_read(arena, json, "the config", &(FieldSet){root_fields, &root}, 1, err);
    config->seed = (uint64_t)root.seed;
    config->weights = root.weights;
    config->optimizer_state = root.optimizer_state;
    config->monitor = root.monitor;
    config->rules = root.rules;
    config->output = root.output;
    config->name = root.name ? root.name : name_of_file(arena, path);
    if (!root.name)
        json_add_member(arena, json, "name", json_new_string(arena, config->name));
    if (!is_a_file_name(config->name))
        error_at(err, json_member(json, "name"), "`%s` cannot be a run's name: it becomes a folder", config->name);
    bool has_train = root.train && read_train(arena, root.train, &config->train, err);
    if (!check_kind(&root, json, err))
        root.gan = root.model ? NULL : root.gan;
    if (root.gan)
        gan_read(arena, config, root.gan, root.optimizer, err);
    else if (root.model)
        config->model = model_read(arena, root.model, err);
    if (data)
        config->data = *data;
    bool has_data = data || (root.data && dataset_read(arena, root.data, config->seed, &config->data, err));
    if (!root.gan)
        read_loss_and_optimizer(config, arena, &root, err);
    int weights = config->model ? config->model->parameters : 0;
    if (root.clip && root.clip->type != JSON_NULL)
        config->clip = clip_new(arena, root.clip, weights, err);
    if (config->model)
        config->hooks = hooks_read(arena, root.hooks, config->model, err);
    if (root.precision)
        mixed_precision_read(arena, root.precision, &config->precision, err);
    bool has_penalty = penalty_read(arena, root.penalty, &config->penalty, err) && config->penalty;
    if (has_penalty && has_data && !config->gan)
        penalty_check(config->penalty, &config->data.training, root.penalty, err);
    Arena *scratch = arena_new(arena);
    if (config->model && has_data && config->loss)
        config->gan ? gan_check(config, json, scratch, err) : check_parts(config, &root, scratch, err);
    if (has_data && has_train && count_steps(config, root.train, err) && config->optimizer)
        config->schedule = schedule_new(arena, root.schedule, optimizer_base_lr(config->optimizer), config->train.steps, err);
    if (!error_count(err) && config->model) {
        model_initialise(config->model, config->seed);
        if (config->weights)
            load_weights(config, scratch, err);
        if (config->optimizer_state)
            load_optimizer(config, scratch, err);
    }
    arena_free(scratch);
    return error_count(err) ? NULL : config;
}
