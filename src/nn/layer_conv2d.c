/* Convolution of images: weight [out, in / groups, kernel height, kernel width]. */
#include "nn/layer.h"
#include "nn/window_options.h"

typedef struct Options {
    int64_t out, groups;
    WindowOptions window;
    bool bias;
    Window read;
} Options;

static const Field fields[] = {
    {"out", FIELD_INTEGER, offsetof(Options, out), .required = true, .limit = FIELD_POSITIVE, .help = "output channels"},
    WINDOW_FIELD(Options, window.kernel, "kernel", NULL, true, "size, or [height, width]"),
    WINDOW_FIELD(Options, window.stride, "stride", "1", false, "step, or [vertical, horizontal]"),
    WINDOW_FIELD(Options, window.padding, "padding", "0", false,
                 "zeros on each side, or [above and below, left and right], or \"same\""),
    WINDOW_FIELD(Options, window.dilation, "dilation", "1", false, "distance of the kernel's elements"),
    {"groups", FIELD_INTEGER, offsetof(Options, groups), "1", .limit = FIELD_POSITIVE,
     .help = "groups of channels that do not see each other"},
    {"bias", FIELD_BOOL, offsetof(Options, bias), "true", .help = "adds a learned bias"},
    {0}};

static bool check_groups(const Layer *layer, const Options *options, Error *err)
{
    int channels = layer->in[0].dim[0];
    const Json *groups = json_member(layer->json, "groups");
    if (channels % options->groups)
        return error_at(err, groups, "%s: %lld groups do not divide its %d input channels", layer->path,
                        (long long)options->groups, channels);
    if (options->out % options->groups)
        return error_at(err, groups, "%s: %lld groups do not divide its %lld output channels", layer->path,
                        (long long)options->groups, (long long)options->out);
    return true;
}

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    Options *options = layer->options;
    options->window.may_be_same = true;
    if (!window_read(layer, &options->window, &options->read, reader, err))
        return false;
    if (options->out > 1 << 20)
        return error_at(err, json_member(layer->json, "out"), "%lld output channels are too many", (long long)options->out);
    if (!check_groups(layer, options, err))
        return false;
    options->read.groups = (int)options->groups;
    const int *kernel = options->read.kernel, out = (int)options->out, in = layer->in[0].dim[0] / (int)options->groups;
    double weights = (double)out * in * kernel[0] * kernel[1];
    if (weights > 1 << 30)
        return error_at(err, layer->json, "%s: %.3g weights are too many", layer->path, weights);
    Fan fan = {in * kernel[0] * kernel[1], out * kernel[0] * kernel[1], 1};
    layer->output.dim[0] = out;
    layer_declare(layer, reader, "weight", SHAPE(out, in, kernel[0], kernel[1]), ROLE_WEIGHT, init_fan_in_uniform(fan.in), fan);
    if (options->bias)
        layer_declare(layer, reader, "bias", SHAPE(out), ROLE_BIAS, init_fan_in_uniform(fan.in), fan);
    return true;
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    return op_conv2d(x[0], layer_parameter(layer, b, 0), options->bias ? layer_parameter(layer, b, 1) : NULL, &options->read);
}

const LayerType layer_conv2d = {
    .name = "conv2d",
    .help = "convolution of images; weight is [out, in / groups, kernel height, kernel width]",
    .fields = fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
