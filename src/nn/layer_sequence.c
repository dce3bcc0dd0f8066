/* Layers on sequences [position, feature]: one position, their average, features and positions exchanged. */
#include "nn/layer.h"

static bool needs_two_axes(const Layer *layer, ModelReader *reader, Error *err)
{
    return layer->in[0].rank >= 2 || error_at(err, layer->json, "%s needs samples [position, feature], got %s",
                                              layer->type->name, shape_text(reader->arena, layer->in[0]));
}

static bool declare_transpose(Layer *layer, ModelReader *reader, Error *err)
{
    if (!needs_two_axes(layer, reader, err))
        return false;
    Shape in = layer->in[0];
    layer->output = in;
    layer->output.dim[in.rank - 1] = in.dim[in.rank - 2];
    layer->output.dim[in.rank - 2] = in.dim[in.rank - 1];
    return true;
}

static bool declare_one_position(Layer *layer, ModelReader *reader, Error *err)
{
    layer->output = shape_rest(layer->in[0]);
    return needs_two_axes(layer, reader, err);
}

static Node *build_transpose(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)layer, (void)build;
    return op_transpose(x[0], x[0]->shape.rank - 2, x[0]->shape.rank - 1);
}

static Node *build_last(const Layer *layer, ModelBuild *build, Node *const x[])
{
    return op_reshape(op_slice(x[0], 1, x[0]->shape.dim[1] - 1, 1), layer_batch_shape(build, layer->output));
}

static Node *build_mean(const Layer *layer, ModelBuild *build, Node *const x[])
{
    Shape shape = x[0]->shape;
    shape.dim[1] = 1;
    Node *sum = op_sum_to(x[0], shape);
    return op_reshape(op_scale(sum, 1.0 / x[0]->shape.dim[1]), layer_batch_shape(build, layer->output));
}

const LayerType layer_transpose = {
    .name = "transpose", .help = "the last two axes change places", .declare = declare_transpose, .build = build_transpose};
const LayerType layer_last = {
    .name = "last", .help = "the last position", .declare = declare_one_position, .build = build_last};
const LayerType layer_mean = {.name = "mean",
                              .help = "the average of all positions",
                              .declare = declare_one_position,
                              .computes_in_float32 = true,
                              .build = build_mean};
