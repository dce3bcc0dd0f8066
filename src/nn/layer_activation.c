/* Activations: element by element, or over the last axis, without parameters. */
#include "nn/layer.h"

static bool keeps_shape(Layer *layer, ModelReader *reader, Error *err)
{
    (void)reader, (void)err;
    layer->output = layer->in[0];
    return true;
}

static bool keeps_shape_of_rows(Layer *layer, ModelReader *reader, Error *err)
{
    if (layer->in[0].rank < 1)
        return error_at(err, layer->json, "%s needs at least one axis", layer->type->name);
    return keeps_shape(layer, reader, err);
}

#define ACTIVATION(word, text, declare_function)                                                                               \
    static Node *build_##word(const Layer *layer, ModelBuild *build, Node *const x[])                                          \
    {                                                                                                                          \
        (void)layer, (void)build;                                                                                              \
        return op_##word(x[0]);                                                                                                \
    }                                                                                                                          \
    const LayerType layer_##word = {.name = #word, .help = text, .declare = declare_function, .build = build_##word};

ACTIVATION(relu, "max(x, 0)", keeps_shape)
ACTIVATION(elu, "x, or e^x - 1 below 0", keeps_shape)
ACTIVATION(selu, "elu, scaled so that activations normalise themselves", keeps_shape)
ACTIVATION(silu, "x sigmoid(x)", keeps_shape)
ACTIVATION(sigmoid, "1 / (1 + e^-x)", keeps_shape)
ACTIVATION(tanh, "hyperbolic tangent", keeps_shape)
ACTIVATION(softplus, "log(1 + e^x)", keeps_shape)
ACTIVATION(hardtanh, "x, limited to [-1, 1]", keeps_shape)
ACTIVATION(softmax, "softmax over the last axis", keeps_shape_of_rows)
ACTIVATION(log_softmax, "logarithm of the softmax over the last axis", keeps_shape_of_rows)

typedef struct LeakyOptions {
    double slope;
} LeakyOptions;

static const Field leaky_fields[] = {{"slope", FIELD_NUMBER, offsetof(LeakyOptions, slope), "0.01", .help = "slope below 0"},
                                     {0}};

static Node *build_leaky_relu(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)build;
    const LeakyOptions *options = layer->options;
    return op_leaky_relu(x[0], options->slope);
}

const LayerType layer_leaky_relu = {
    .name = "leaky_relu",
    .help = "x, or slope x below 0",
    .fields = leaky_fields,
    .options_size = sizeof(LeakyOptions),
    .declare = keeps_shape,
    .build = build_leaky_relu,
};

typedef struct GeluOptions {
    int approximate;
} GeluOptions;

static const char *const approximations[] = {"none", "tanh", NULL};
static const Field gelu_fields[] = {{"approximate", FIELD_CHOICE, offsetof(GeluOptions, approximate), "\"none\"",
                                     .choices = approximations, .help = "the exact function, or its tanh approximation"},
                                    {0}};

static Node *build_gelu(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)build;
    const GeluOptions *options = layer->options;
    return options->approximate ? op_gelu_tanh(x[0]) : op_gelu(x[0]);
}

const LayerType layer_gelu = {
    .name = "gelu",
    .help = "x times the normal distribution function of x",
    .fields = gelu_fields,
    .options_size = sizeof(GeluOptions),
    .declare = keeps_shape,
    .build = build_gelu,
};
