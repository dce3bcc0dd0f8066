/* Self-attention, with the parameters, layouts and initial weights of torch.nn.MultiheadAttention. */
#include <math.h>

#include "nn/layer.h"

typedef struct Options {
    int64_t heads;
    bool causal, bias;
} Options;

static const Field fields[] = {
    {"heads", FIELD_INTEGER, offsetof(Options, heads), .required = true, .limit = FIELD_POSITIVE,
     .help = "they share the features evenly"},
    {"causal", FIELD_BOOL, offsetof(Options, causal), "true", .help = "no position sees those after it"},
    {"bias", FIELD_BOOL, offsetof(Options, bias), "true", .help = "adds learned biases"},
    {0}};

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    Shape in = layer->in[0];
    if (in.rank != 2) {
        error_at(err, layer->json, "attention needs samples [position, feature], got %s", shape_text(reader->arena, in));
        return error_hint(err, "an embedding before it gives tokens their features");
    }
    const int width = in.dim[1];
    if (options->heads > width || width % options->heads)
        return error_at(err, json_member(layer->json, "heads"), "%lld heads cannot share %d features evenly",
                        (long long)options->heads, width);
    if (width > 1 << 24)
        return error_at(err, layer->json, "%d features are too many for attention", width);
    /* The default is Glorot's over the stack of the three projections; one that is named is for each by itself. */
    const double bound = sqrt(6.0 / (4.0 * width));
    layer->output = in;
    layer_declare(layer, reader, "in_proj_weight", SHAPE(3 * width, width), ROLE_WEIGHT,
                  (Init){.kind = INIT_UNIFORM, .low = -bound, .high = bound}, (Fan){width, width, 3});
    if (options->bias)
        layer_declare(layer, reader, "in_proj_bias", SHAPE(3 * width), ROLE_BIAS, init_constant(0), (Fan){width, width, 3});
    layer_declare(layer, reader, "out_proj.weight", SHAPE(width, width), ROLE_WEIGHT, init_fan_in_uniform(width),
                  (Fan){width, width, 1});
    if (options->bias)
        layer_declare(layer, reader, "out_proj.bias", SHAPE(width), ROLE_BIAS, init_constant(0), (Fan){width, width, 1});
    return true;
}

static Node *build(const Layer *layer, ModelBuild *build, Node *const x[])
{
    const Options *options = layer->options;
    const int step = options->bias ? 2 : 1;
    Node *in_bias = options->bias ? layer_parameter(layer, build, 1) : NULL,
         *out_bias = options->bias ? layer_parameter(layer, build, 3) : NULL;
    Node *qkv = op_linear(x[0], layer_parameter(layer, build, 0), in_bias);
    return op_linear(op_attention(qkv, (int)options->heads, options->causal), layer_parameter(layer, build, step), out_bias);
}

const LayerType layer_attention = {
    .name = "attention",
    .help = "every position averages over the others (or those before it), by heads",
    .fields = fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
