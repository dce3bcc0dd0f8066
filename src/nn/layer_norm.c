/* Normalisation: batchnorm (Ioffe & Szegedy 2015), layernorm (Ba et al. 2016), rmsnorm (Zhang & Sennrich 2019). */
#include "nn/layer.h"

typedef struct Options {
    double eps, momentum;
    bool affine;
} Options;

#define AFFINE                                                                                                                 \
    {                                                                                                                          \
        "affine", FIELD_BOOL, offsetof(Options, affine), "true", .help = "learns a gain and a bias"                            \
    }
#define EPS(standard)                                                                                                          \
    {                                                                                                                          \
        "eps", FIELD_NUMBER, offsetof(Options, eps), standard, .limit = FIELD_NOT_NEGATIVE, .help = "added to the variance"    \
    }

static const Field batchnorm_fields[] = {EPS("1e-05"),
                                         {"momentum", FIELD_NUMBER, offsetof(Options, momentum), "0.1", .limit = FIELD_FRACTION,
                                          .help = "weight of the new batch in the running statistics"},
                                         AFFINE,
                                         {0}};
static const Field layernorm_fields[] = {EPS("1e-05"), AFFINE, {0}};
/* rmsnorm's eps is float32's epsilon, as torch.finfo has it. */
static const Field rmsnorm_fields[] = {EPS("1.1920928955078125e-07"), AFFINE, {0}};

enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR, COUNTER };

/* By channel (the first axis) of images [channels, height, width]; by feature (the last axis) otherwise. */
static int channel_axis(Shape shape)
{
    return shape.rank == 3 ? 0 : shape.rank - 1;
}

static bool declare_batchnorm(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    Shape in = layer->in[0];
    if (in.rank < 1)
        return error_at(err, layer->json, "batchnorm needs at least one axis");
    Shape features = SHAPE(in.dim[channel_axis(in)]);
    layer->output = in;
    if (options->affine) {
        layer_declare(layer, reader, "weight", features, ROLE_GAIN, init_constant(1), (Fan){0});
        layer_declare(layer, reader, "bias", features, ROLE_SHIFT, init_constant(0), (Fan){0});
    }
    layer_declare(layer, reader, "running_mean", features, ROLE_BUFFER, init_constant(0), (Fan){0});
    layer_declare(layer, reader, "running_var", features, ROLE_BUFFER, init_constant(1), (Fan){0});
    layer_declare(layer, reader, "num_batches_tracked", SHAPE_SCALAR, ROLE_COUNTER, init_constant(0), (Fan){0});
    return true;
}

/* running <- (1 - momentum) running + momentum value, when the plan has run. */
static void track(Node *running, Node *value, double momentum)
{
    graph_assign(op_add(op_scale(running, 1 - momentum), op_scale(value, momentum)), running->parameter);
}

/* Images: two passes over x, then one that normalises. */
static Node *normalise_channels(const Layer *layer, ModelBuild *b, Node *x, Node *mean, Node *variance)
{
    const Options *options = layer->options;
    Node *scale = op_rsqrt(op_shift(variance, options->eps));
    if (!options->affine)
        return op_channel_affine(x, mean, scale, op_expand(graph_constant(b->graph, 0), mean->shape));
    return op_channel_affine(x, mean, op_mul(scale, layer_parameter(layer, b, WEIGHT)), layer_parameter(layer, b, BIAS));
}

static Node *normalise_features(const Layer *layer, ModelBuild *b, Node *x, Node *mean, Node *variance)
{
    const Options *options = layer->options;
    Node *y = op_mul(op_sub(x, mean), op_rsqrt(op_shift(variance, options->eps)));
    return options->affine ? op_add(op_mul(y, layer_parameter(layer, b, WEIGHT)), layer_parameter(layer, b, BIAS)) : y;
}

static Node *build_batchnorm(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    const bool is_image = layer->in[0].rank == 3;
    int first = options->affine ? RUNNING_MEAN : 0;
    Node *running_mean = layer_parameter(layer, b, first), *running_var = layer_parameter(layer, b, first + 1);
    Node *mean = running_mean, *variance = running_var;
    if (b->training) {
        Shape features = running_mean->shape;
        double count = (double)shape_count(x[0]->shape) / features.dim[0];
        if (count < 2)
            graph_fail(b->graph, "batch statistics need more than one value per channel, and this batch has one sample");
        if (is_image) {
            Node *moments = op_channel_moments(x[0]);
            mean = op_reshape(op_slice(moments, 0, 0, 1), features);
            variance = op_reshape(op_slice(moments, 0, 1, 1), features);
        } else {
            mean = op_scale(op_sum_to(x[0], features), 1 / count);
            variance = op_scale(op_sum_to(op_square(op_sub(x[0], mean)), features), 1 / count);
        }
        if (!b->is_probe) {
            track(running_mean, mean, options->momentum);
            track(running_var, op_scale(variance, count > 1 ? count / (count - 1) : 1), options->momentum);
        }
    }
    return (is_image ? normalise_channels : normalise_features)(layer, b, x[0], mean, variance);
}

const LayerType layer_batchnorm = {
    .name = "batchnorm",
    .help = "normalises each feature (of images, each channel) over the batch",
    .fields = batchnorm_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare_batchnorm,
    .computes_in_float32 = true,
    .build = build_batchnorm,
};

/* layernorm takes the whole sample of an image, otherwise the last axis; rmsnorm the last axis. */
static Shape normalised(const Layer *layer)
{
    Shape in = layer->in[0];
    return in.rank == 3 && layer->type == &layer_layernorm ? in : SHAPE(shape_last(in));
}

static bool declare_by_sample(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    if (layer->in[0].rank < 1)
        return error_at(err, layer->json, "%s needs at least one axis", layer->type->name);
    layer->output = layer->in[0];
    if (options->affine)
        layer_declare(layer, reader, "weight", normalised(layer), ROLE_GAIN, init_constant(1), (Fan){0});
    if (options->affine && layer->type == &layer_layernorm)
        layer_declare(layer, reader, "bias", normalised(layer), ROLE_SHIFT, init_constant(0), (Fan){0});
    return true;
}

/* The layer's own parameter, or `otherwise` everywhere. */
static Node *parameter_or(const Layer *layer, ModelBuild *b, int index, double otherwise)
{
    return index < layer->owns ? layer_parameter(layer, b, index)
                               : op_expand(graph_constant(b->graph, otherwise), normalised(layer));
}

static Node *build_by_row(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    return op_layer_norm(x[0], parameter_or(layer, b, WEIGHT, 1), parameter_or(layer, b, BIAS, 0), options->eps,
                         layer->type == &layer_layernorm);
}

const LayerType layer_layernorm = {
    .name = "layernorm",
    .help = "normalises the last axis (of images, the whole sample)",
    .fields = layernorm_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare_by_sample,
    .computes_in_float32 = true,
    .build = build_by_row,
};
const LayerType layer_rmsnorm = {
    .name = "rmsnorm",
    .help = "divides by the root mean square of the last axis",
    .fields = rmsnorm_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT,
    .declare = declare_by_sample,
    .computes_in_float32 = true,
    .build = build_by_row,
};
