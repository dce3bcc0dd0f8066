/* Containers: layers in a list of their own. */
#include <math.h>
#include <string.h>

#include "nn/layer.h"

typedef struct BlockOptions {
    Json *layers, *checkpoint;
    bool no_grad, freeze;
} BlockOptions;

static const Field block_fields[] = {
    {"layers", FIELD_JSON, offsetof(BlockOptions, layers), .required = true, .help = "its layers"},
    {"checkpoint", FIELD_JSON, offsetof(BlockOptions, checkpoint), "false",
     .help = "true: recompute it in the backward pass; \"sqrt\": in segments, so that memory grows with the square root of the "
             "layers"},
    {"no_grad", FIELD_BOOL, offsetof(BlockOptions, no_grad), "false", .help = "no gradient in it, and none through it"},
    {"freeze", FIELD_BOOL, offsetof(BlockOptions, freeze), "false", .help = "its parameters do not learn"},
    {0}};

static bool is_sqrt(const Json *checkpoint)
{
    return checkpoint && checkpoint->type == JSON_STRING && !strcmp(checkpoint->string, "sqrt");
}

static bool declare_block(Layer *layer, ModelReader *reader, Error *err)
{
    const BlockOptions *options = layer->options;
    if (options->checkpoint && options->checkpoint->type != JSON_BOOL && !is_sqrt(options->checkpoint))
        return error_at(err, options->checkpoint, "`checkpoint` is true, false or \"sqrt\"");
    bool was_frozen = reader->frozen;
    reader->frozen |= options->freeze;
    bool fine = layer_list_read(reader, options->layers, layer->path, layer->in[0], &layer->list, &layer->output);
    reader->frozen = was_frozen;
    return fine;
}

static Node *build_block(const Layer *layer, ModelBuild *build, Node *const x[])
{
    const BlockOptions *options = layer->options;
    int leaves = layer_list_leaves(&layer->list), group = leaves;
    bool is_checkpointed = options->checkpoint && (is_sqrt(options->checkpoint) || options->checkpoint->number != 0);
    if (is_sqrt(options->checkpoint))
        group = (int)ceil(sqrt(2.0 * leaves));
    bool begun = is_checkpointed && build->training && layer_recompute_begin(build, leaves, group);
    Node *y = layer_list_build(&layer->list, build, x[0]);
    if (begun)
        layer_recompute_end(build);
    return options->no_grad ? op_stop_gradient(y) : y;
}

const LayerType layer_block = {
    .name = "block",
    .help = "layers under one name; may be frozen or without gradient",
    .fields = block_fields,
    .options_size = sizeof(BlockOptions),
    .is_container = true,
    .declare = declare_block,
    .build = build_block,
};

typedef struct ResidualOptions {
    Json *layers, *shortcut;
} ResidualOptions;

static const Field residual_fields[] = {
    {"layers", FIELD_JSON, offsetof(ResidualOptions, layers), .required = true, .help = "the branch"},
    {"shortcut", FIELD_JSON, offsetof(ResidualOptions, shortcut),
     .help = "layers of the shortcut; by default it is the input itself"},
    {0}};

static bool declare_residual(Layer *layer, ModelReader *reader, Error *err)
{
    const ResidualOptions *options = layer->options;
    Shape shortcut = layer->in[0];
    if (!layer_list_read(reader, options->layers, layer->path, layer->in[0], &layer->list, &layer->output))
        return false;
    if (options->shortcut &&
        !layer_list_read(reader, options->shortcut, arena_printf(reader->arena, "%s.shortcut", layer->path), layer->in[0],
                         &layer->shortcut, &shortcut))
        return false;
    if (!shape_equal(shortcut, layer->output)) {
        error_at(err, layer->json, "the branch of %s gives %s, its shortcut %s", layer->path,
                 shape_text(reader->arena, layer->output), shape_text(reader->arena, shortcut));
        return error_hint(err,
                          "a `shortcut` of its own can change the shape: \"shortcut\": [{\"type\": \"linear\", \"out\": ...}]");
    }
    return true;
}

static Node *build_residual(const Layer *layer, ModelBuild *build, Node *const x[])
{
    Node *y = layer_list_build(&layer->list, build, x[0]);
    return op_add(y, layer->shortcut.count ? layer_list_build(&layer->shortcut, build, x[0]) : x[0]);
}

const LayerType layer_residual = {
    .name = "residual",
    .help = "layers(x) + shortcut(x)",
    .fields = residual_fields,
    .options_size = sizeof(ResidualOptions),
    .is_container = true,
    .declare = declare_residual,
    .build = build_residual,
};

typedef struct RepeatOptions {
    int64_t times;
    Json *layers;
} RepeatOptions;

static const Field repeat_fields[] = {
    {"times", FIELD_INTEGER, offsetof(RepeatOptions, times), .required = true, .limit = FIELD_POSITIVE, .help = "copies"},
    {"layers", FIELD_JSON, offsetof(RepeatOptions, layers), .required = true, .help = "the layers of one copy"},
    {0}};

/* Each copy is a list of its own, named NAME.0, NAME.1, ...; layer->list holds one Layer per copy. */
static bool declare_repeat(Layer *layer, ModelReader *reader, Error *err)
{
    const RepeatOptions *options = layer->options;
    if (options->times > 1000000)
        return error_at(err, json_member(layer->json, "times"), "%lld copies are too many", (long long)options->times);
    layer->list.layer = ARENA_ARRAY(reader->arena, Layer *, options->times);
    Shape shape = layer->in[0];
    for (int64_t i = 0; i < options->times; i++) {
        Layer *copy = ARENA_NEW(reader->arena, Layer);
        *copy = (Layer){.type = &layer_block, .json = layer->json, .leaf = -1, .id = reader->ids++, .inputs = 1};
        copy->options = ARENA_NEW(reader->arena, BlockOptions);
        copy->name = arena_printf(reader->arena, "%lld", (long long)i);
        copy->path = arena_printf(reader->arena, "%s.%s", layer->path, copy->name);
        copy->in[0] = shape;
        copy->source[0] = i ? layer->list.layer[i - 1] : NULL;
        if (!layer_list_read(reader, options->layers, copy->path, shape, &copy->list, &copy->output))
            return false;
        shape = copy->output;
        layer->list.layer[layer->list.count++] = copy;
    }
    layer->output = shape;
    return true;
}

static Node *build_repeat(const Layer *layer, ModelBuild *build, Node *const x[])
{
    return layer_list_build(&layer->list, build, x[0]);
}

const LayerType layer_repeat = {
    .name = "repeat",
    .help = "copies of its layers in a row, each with weights of its own",
    .fields = repeat_fields,
    .options_size = sizeof(RepeatOptions),
    .is_container = true,
    .declare = declare_repeat,
    .build = build_repeat,
};
