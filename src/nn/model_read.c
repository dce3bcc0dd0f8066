/* Reading a model object: its input, its layers, and what they declare. */
#include "nn/layer.h"

typedef struct ModelOptions {
    const char *name;
    Json *input, *layers, *init, *bias_init;
} ModelOptions;

static const Field model_fields[] = {
    {"name", FIELD_STRING, offsetof(ModelOptions, name), "\"model\"", .help = "the model's name"},
    {"input", FIELD_JSON, offsetof(ModelOptions, input), .required = true, .help = "the shape of one sample"},
    {"layers", FIELD_JSON, offsetof(ModelOptions, layers), .required = true, .help = "the layers"},
    {"init", FIELD_JSON, offsetof(ModelOptions, init), "\"default\"",
     .help = "how weights of linear, convolution, attention and recurrent layers start"},
    {"bias_init", FIELD_JSON, offsetof(ModelOptions, bias_init), "\"default\"", .help = "how the biases of those layers start"},
    {0}};

/* The shape of a sample; *tokens is 0 where inputs are numbers. */
static bool read_input_shape(const Json *value, Shape *shape, int *tokens, Error *err)
{
    if (value->type == JSON_OBJECT) {
        const Json *kinds = json_member(value, "tokens"), *length = json_member(value, "length");
        int64_t count = 0, positions = 0;
        if (!kinds || !length)
            return error_at(err, value, "token input is {\"tokens\": 96, \"length\": 128}");
        if (!fields_read_integers(kinds, "tokens", &count, 1, 1, err) ||
            !fields_read_integers(length, "length", &positions, 1, 1, err))
            return false;
        if (count > 1 << 24 || positions > 1 << 24)
            return error_at(err, value, "token numbers and lengths reach up to 2^24");
        *tokens = (int)count;
        *shape = SHAPE((int)positions);
        return true;
    }
    if (value->type != JSON_ARRAY || value->count > SHAPE_MAX_RANK - 2)
        return error_at(err, value,
                        "`input` is the shape of one sample: [2], [1, 28, 28], or {\"tokens\": 96, \"length\": 128}");
    for (const Json *item = value->first; item; item = item->next) {
        int64_t size = 0;
        if (!fields_read_integers(item, "input", &size, 1, 1, err))
            return false;
        if (size > 1 << 28)
            return error_at(err, item, "an axis of %lld is too large", (long long)size);
        shape->dim[shape->rank++] = (int)size;
    }
    return true;
}

static int count_weights(const Model *model)
{
    int count = 0;
    for (int i = 0; i < model->states; i++)
        count += model->state[i]->kind == PARAMETER_WEIGHT;
    return count;
}

/* Reads one model object into a list of layers below `path`. */
static bool read_net(ModelReader *reader, Json *object, const char *path, const char *what, LayerList *list, ModelNet *net,
                     const char **name)
{
    ModelOptions options = {0};
    Model *model = reader->model;
    int errors = error_count(reader->err);
    bool fine = fields_read(reader->arena, object, what, &(FieldSet){model_fields, &options}, 1, reader->err);
    reader->has_init = options.init && init_read(reader->arena, options.init, &reader->init, reader->err);
    reader->has_bias_init = options.bias_init && init_read(reader->arena, options.bias_init, &reader->bias_init, reader->err);
    *net = (ModelNet){.name = path, .leaf = model->leaves, .parameter = count_weights(model)};
    *name = options.name;
    if (!options.input || !options.layers || !read_input_shape(options.input, &net->input, &model->tokens, reader->err))
        return false;
    if (!layer_list_read(reader, options.layers, path, net->input, list, &net->output) || !fine ||
        error_count(reader->err) > errors)
        return false;
    net->leaves = model->leaves - net->leaf;
    net->parameters = count_weights(model) - net->parameter;
    return true;
}

static Layer *new_container(ModelReader *reader, const char *name, Json *object)
{
    Layer *layer = ARENA_NEW(reader->arena, Layer);
    *layer = (Layer){.name = name, .path = name, .json = object, .leaf = -1, .id = reader->ids++};
    return layer;
}

static Model *complete(ModelReader *reader)
{
    Model *model = reader->model;
    int count = 0;
    model->input = model->net[0].input;
    model->output = model->net[model->nets - 1].output;
    model->parameter = ARENA_ARRAY(reader->arena, Parameter *, model->states);
    for (int i = 0; i < model->states; i++)
        if (model->state[i]->kind == PARAMETER_WEIGHT)
            model->parameter[count++] = model->state[i];
    model->parameters = count;
    return model;
}

Model *model_read(Arena *arena, Json *object, Error *err)
{
    Model *model = ARENA_NEW(arena, Model);
    ModelReader reader = {.arena = arena, .model = model, .err = err};
    model->net = ARENA_NEW(arena, ModelNet);
    model->nets = 1;
    model->root = new_container(&reader, "", object);
    return read_net(&reader, object, "", "the model", &model->root->list, &model->net[0], &model->name) ? complete(&reader)
                                                                                                        : NULL;
}

/* Whether the net takes what the one before it gives. */
static bool check_chain(const ModelReader *reader, const ModelNet *net, const ModelNet *before, const Json *object)
{
    Arena *arena = reader->arena;
    const Json *input = json_member(object, "input");
    if (reader->model->tokens)
        return error_at(reader->err, input, "the %s takes numbers, not tokens: no gradient passes a token", net->name);
    if (!before || shape_equal(net->input, before->output))
        return true;
    error_at(reader->err, input, "the %s takes samples of %s, the %s gives %s", net->name, shape_text(arena, net->input),
             before->name, shape_text(arena, before->output));
    return error_hint(reader->err, "set the `input` of the %s to %s", net->name, shape_text(arena, before->output));
}

Model *model_read_nets(Arena *arena, const char *const names[], Json *const objects[], int count, Error *err)
{
    Model *model = ARENA_NEW(arena, Model);
    ModelReader reader = {.arena = arena, .model = model, .err = err};
    bool fine = true;
    model->net = ARENA_ARRAY(arena, ModelNet, count);
    model->nets = count;
    model->root = new_container(&reader, "", NULL);
    model->root->list.layer = ARENA_ARRAY(arena, Layer *, count);
    for (int i = 0; i < count; i++) {
        Layer *block = model->root->list.layer[i] = new_container(&reader, names[i], objects[i]);
        const char *what = arena_printf(arena, "the %s", names[i]);
        const bool has_before = i && fine;
        block->type = &layer_block;
        block->options = arena_alloc(arena, layer_block.options_size);
        block->inputs = 1;
        fine = read_net(&reader, objects[i], names[i], what, &block->list, &model->net[i], &model->name) && fine;
        fine = fine && check_chain(&reader, &model->net[i], has_before ? &model->net[i - 1] : NULL, objects[i]);
        block->in[0] = model->net[i].input;
        block->output = model->net[i].output;
        block->source[0] = i ? model->root->list.layer[i - 1] : NULL;
    }
    model->root->list.count = count;
    return fine ? complete(&reader) : NULL;
}
