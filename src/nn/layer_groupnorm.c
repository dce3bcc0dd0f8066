/* Group normalisation (Wu & He 2018): each sample's channels in groups. Channels are the first axis, of sequences the last. */
#include "nn/layer.h"

typedef struct Options {
    int64_t groups;
    double eps;
    bool affine;
} Options;

static const Field fields[] = {
    {"groups", FIELD_INTEGER, offsetof(Options, groups), "1", .limit = FIELD_POSITIVE, .help = "groups that the channels form"},
    {"eps", FIELD_NUMBER, offsetof(Options, eps), "1e-05", .limit = FIELD_NOT_NEGATIVE, .help = "added to the variance"},
    {"affine", FIELD_BOOL, offsetof(Options, affine), "true", .help = "learns a gain and a bias"},
    {0}};

enum { WEIGHT, BIAS };

/* As batchnorm has it: sequences [position, feature] have their channels last. */
static int channel_axis(Shape in)
{
    return in.rank == 2 ? 1 : 0;
}

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    Shape in = layer->in[0];
    if (in.rank < 1)
        return error_at(err, layer->json, "groupnorm needs at least one axis");
    int channels = in.dim[channel_axis(in)];
    if (channels % options->groups)
        return error_at(err, json_member(layer->json, "groups"), "%s: %lld groups do not divide its %d channels", layer->path,
                        (long long)options->groups, channels);
    layer->output = in;
    if (options->affine) {
        layer_declare(layer, reader, "weight", SHAPE(channels), ROLE_GAIN, init_constant(1), (Fan){0});
        layer_declare(layer, reader, "bias", SHAPE(channels), ROLE_SHIFT, init_constant(0), (Fan){0});
    }
    return true;
}

/* The mean of each group: x is [batch, before, groups, within]. */
static Node *mean_of_groups(Node *x)
{
    Shape in = x->shape, out = SHAPE(in.dim[0], 1, in.dim[2], 1);
    return op_scale(op_sum_to(x, out), 1 / ((double)in.dim[1] * in.dim[3]));
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    Shape in = layer->in[0], channels = x[0]->shape;
    int axis = channel_axis(in), groups = (int)options->groups;
    int before = axis ? in.dim[0] : 1, within = (int)(shape_count(in) / (size_t)before) / groups;
    Node *grouped = op_reshape(x[0], SHAPE(b->batch, before, groups, within));
    Node *centred = op_sub(grouped, mean_of_groups(grouped));
    Node *variance = mean_of_groups(op_square(centred));
    Node *y = op_reshape(op_mul(centred, op_rsqrt(op_shift(variance, options->eps))), x[0]->shape);
    if (!options->affine)
        return y;
    for (int i = 0; i < channels.rank; i++)
        channels.dim[i] = i == axis + 1 ? channels.dim[i] : 1;
    return op_add(op_mul(y, op_reshape(layer_parameter(layer, b, WEIGHT), channels)),
                  op_reshape(layer_parameter(layer, b, BIAS), channels));
}

const LayerType layer_groupnorm = {
    .name = "groupnorm",
    .help = "normalises groups of channels of each sample",
    .fields = fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .computes_in_float32 = true,
    .build = build,
};
