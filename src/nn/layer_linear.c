/* y = x W^T + b over the last axis. */
#include "nn/layer.h"

typedef struct Options {
    int64_t out;
    bool bias;
} Options;

static const Field fields[] = {
    {"out", FIELD_INTEGER, offsetof(Options, out), .required = true, .limit = FIELD_POSITIVE, .help = "output features"},
    {"bias", FIELD_BOOL, offsetof(Options, bias), "true", .help = "adds a learned bias"},
    {0}};

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    if (layer->in[0].rank < 1)
        return error_at(err, layer->json, "linear needs at least one axis");
    if (options->out > 1 << 24)
        return error_at(err, json_member(layer->json, "out"), "%lld output features are too many", (long long)options->out);
    int in = shape_last(layer->in[0]), out = (int)options->out;
    Fan fan = {in, out, 1};
    layer->output = layer->in[0];
    layer->output.dim[layer->output.rank - 1] = out;
    layer_declare(layer, reader, "weight", SHAPE(out, in), ROLE_WEIGHT, init_fan_in_uniform(in), fan);
    if (options->bias)
        layer_declare(layer, reader, "bias", SHAPE(out), ROLE_BIAS, init_fan_in_uniform(in), fan);
    return true;
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    return op_linear(x[0], layer_parameter(layer, b, 0), layer->owns > 1 ? layer_parameter(layer, b, 1) : NULL);
}

const LayerType layer_linear = {
    .name = "linear",
    .help = "x W^T + b over the last axis; weight is [out, in]",
    .fields = fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
