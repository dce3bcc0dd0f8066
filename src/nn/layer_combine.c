/* Layers of several inputs, and the one that stops the gradient. */
#include "nn/layer.h"

/* Inputs broadcast, as in PyTorch. */
static bool declare_elementwise(Layer *layer, ModelReader *reader, Error *err)
{
    Shape shape = layer->in[0];
    for (int i = 1; i < layer->inputs; i++) {
        Shape other = layer->in[i];
        if (other.rank != shape.rank)
            return error_at(err, json_member(layer->json, "input"), "%s of %s and %s: the ranks differ", layer->type->name,
                            shape_text(reader->arena, shape), shape_text(reader->arena, other));
        for (int k = 0; k < shape.rank; k++) {
            if (shape.dim[k] != other.dim[k] && shape.dim[k] != 1 && other.dim[k] != 1)
                return error_at(err, json_member(layer->json, "input"), "%s of %s and %s: the shapes do not match",
                                layer->type->name, shape_text(reader->arena, shape), shape_text(reader->arena, other));
            shape.dim[k] = shape.dim[k] == 1 ? other.dim[k] : shape.dim[k];
        }
    }
    layer->output = shape;
    return true;
}

static Node *build_add(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)build;
    Node *y = x[0];
    for (int i = 1; i < layer->inputs; i++)
        y = op_add(y, x[i]);
    return y;
}

static Node *build_multiply(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)build;
    Node *y = x[0];
    for (int i = 1; i < layer->inputs; i++)
        y = op_mul(y, x[i]);
    return y;
}

/* The last axis; of images [channels, height, width] the channels. */
static int joined_axis(Shape shape)
{
    return shape.rank == 3 ? 0 : shape.rank - 1;
}

static bool declare_concat(Layer *layer, ModelReader *reader, Error *err)
{
    Shape shape = layer->in[0];
    int axis = joined_axis(shape);
    if (axis < 0)
        return error_at(err, layer->json, "concat needs at least one axis");
    for (int i = 1; i < layer->inputs; i++) {
        Shape other = layer->in[i];
        int size = other.rank == shape.rank ? other.dim[axis] : 0;
        other.dim[axis] = shape.dim[axis];
        if (!shape_equal(other, shape))
            return error_at(err, json_member(layer->json, "input"), "concat of %s and %s: only %s may differ",
                            shape_text(reader->arena, shape), shape_text(reader->arena, layer->in[i]),
                            axis ? "the last axis" : "the first axis");
        shape.dim[axis] += size;
    }
    layer->output = shape;
    return true;
}

static Node *build_concat(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)build;
    Node *y = x[0];
    for (int i = 1; i < layer->inputs; i++)
        y = op_concat(y, x[i], joined_axis(layer->output) + 1);
    return y;
}

static bool declare_detach(Layer *layer, ModelReader *reader, Error *err)
{
    (void)reader, (void)err;
    layer->output = layer->in[0];
    return true;
}

static Node *build_detach(const Layer *layer, ModelBuild *build, Node *const x[])
{
    (void)layer, (void)build;
    return op_stop_gradient(x[0]);
}

const LayerType layer_add = {
    .name = "add", .help = "the sum of its inputs", .takes_many = true, .declare = declare_elementwise, .build = build_add};
const LayerType layer_multiply = {.name = "multiply",
                                  .help = "the product of its inputs",
                                  .takes_many = true,
                                  .declare = declare_elementwise,
                                  .build = build_multiply};
const LayerType layer_concat = {.name = "concat",
                                .help = "its inputs joined along the last axis, of images the channels",
                                .takes_many = true,
                                .declare = declare_concat,
                                .build = build_concat};
const LayerType layer_detach = {
    .name = "detach", .help = "passes values on, but no gradient", .declare = declare_detach, .build = build_detach};
