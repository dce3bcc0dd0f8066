/* Pooling of images: the largest or the mean of each window, the mean of each channel. */
#include "nn/layer.h"
#include "nn/window_options.h"

typedef struct Options {
    WindowOptions window;
    Window read;
} Options;

static const Field fields[] = {
    WINDOW_FIELD(Options, window.kernel, "kernel", NULL, true, "size, or [height, width]"),
    WINDOW_FIELD(Options, window.stride, "stride", NULL, false, "step, or [vertical, horizontal]; the kernel by default"),
    WINDOW_FIELD(Options, window.padding, "padding", "0", false, "on each side, up to half the kernel"),
    {0}};

static bool declare_window(Layer *layer, ModelReader *reader, Error *err)
{
    Options *options = layer->options;
    if (!window_read(layer, &options->window, &options->read, reader, err))
        return false;
    for (int a = 0; a < 2; a++)
        if (options->read.before[a] > options->read.kernel[a] / 2) {
            error_at(err, options->window.padding, "%s: a padding of %d is more than half its kernel of %d", layer->path,
                     options->read.before[a], options->read.kernel[a]);
            return error_hint(err, "a window there would see nothing but padding");
        }
    return true;
}

static Node *build_maxpool2d(const Layer *layer, ModelBuild *b, Node *const x[])
{
    (void)b;
    return op_maxpool2d(x[0], &((const Options *)layer->options)->read);
}

static Node *build_avgpool2d(const Layer *layer, ModelBuild *b, Node *const x[])
{
    (void)b;
    return op_avgpool2d(x[0], &((const Options *)layer->options)->read);
}

static bool declare_global(Layer *layer, ModelReader *reader, Error *err)
{
    if (layer->in[0].rank != 3)
        return error_at(err, layer->json, "%s takes images [channels, height, width], not %s", layer->path,
                        shape_text(reader->arena, layer->in[0]));
    layer->output = SHAPE(layer->in[0].dim[0]);
    return true;
}

static Node *build_global(const Layer *layer, ModelBuild *b, Node *const x[])
{
    Shape in = x[0]->shape;
    Node *sum = op_sum_to(x[0], SHAPE(in.dim[0], in.dim[1], 1, 1));
    return op_scale(op_reshape(sum, layer_batch_shape(b, layer->output)), 1 / ((double)in.dim[2] * in.dim[3]));
}

const LayerType layer_maxpool2d = {
    .name = "maxpool2d",
    .help = "the largest number of each window",
    .fields = fields,
    .options_size = sizeof(Options),
    .declare = declare_window,
    .build = build_maxpool2d,
};
const LayerType layer_avgpool2d = {
    .name = "avgpool2d",
    .help = "the mean of each window, padding included",
    .fields = fields,
    .options_size = sizeof(Options),
    .declare = declare_window,
    .build = build_avgpool2d,
};
const LayerType layer_globalavgpool2d = {
    .name = "globalavgpool2d",
    .help = "the mean of each channel",
    .declare = declare_global,
    .computes_in_float32 = true,
    .build = build_global,
};
