/* Layers that change the shape alone. */
#include "nn/layer.h"

static bool declare_flatten(Layer *layer, ModelReader *reader, Error *err)
{
    (void)reader, (void)err;
    layer->output = SHAPE((int)shape_count(layer->in[0]));
    return true;
}

typedef struct ReshapeOptions {
    Json *shape;
} ReshapeOptions;

static const Field reshape_fields[] = {
    {"shape", FIELD_JSON, offsetof(ReshapeOptions, shape), .required = true, .help = "of one sample; one axis may be -1"}, {0}};

static bool declare_reshape(Layer *layer, ModelReader *reader, Error *err)
{
    const ReshapeOptions *options = layer->options;
    const Json *value = options->shape;
    Shape shape = {0};
    int open = -1;
    size_t known = 1, count = shape_count(layer->in[0]);
    if (value->type != JSON_ARRAY || value->count > SHAPE_MAX_RANK - 2)
        return error_at(err, value, "`shape` is a list of up to %d sizes", SHAPE_MAX_RANK - 2);
    for (const Json *item = value->first; item; item = item->next) {
        int64_t size = 0;
        if (!fields_read_integers(item, "shape", &size, 1, -1, err))
            return false;
        if (size == 0 || size > 1 << 28 || (size == -1 && open >= 0))
            return error_at(err, item, "sizes are positive, and one of them may be -1");
        if (size == -1)
            open = shape.rank;
        else
            known *= (size_t)size;
        shape.dim[shape.rank++] = (int)size;
    }
    if (open >= 0 && count % known == 0)
        shape.dim[open] = (int)(count / known);
    if (open >= 0 ? count % known != 0 : count != known)
        return error_at(err, value, "%s has %zu elements, the new shape another number",
                        shape_text(reader->arena, layer->in[0]), count);
    layer->output = shape;
    return true;
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    return op_reshape(x[0], layer_batch_shape(b, layer->output));
}

const LayerType layer_flatten = {
    .name = "flatten", .help = "all axes of a sample as one", .declare = declare_flatten, .build = build};
const LayerType layer_reshape = {
    .name = "reshape",
    .help = "the same numbers under another shape",
    .fields = reshape_fields,
    .options_size = sizeof(ReshapeOptions),
    .declare = declare_reshape,
    .build = build,
};
