/* Dropout: in training, elements are zero with probability p and the rest is scaled by 1 / (1 - p). */
#include "nn/layer.h"

#include "base/random.h"

typedef struct Options {
    double p;
} Options;

static const Field fields[] = {
    {"p", FIELD_NUMBER, offsetof(Options, p), "0.5", .limit = FIELD_FRACTION, .help = "probability of a zero"}, {0}};

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    (void)reader, (void)err;
    layer->output = layer->in[0];
    return true;
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    if (!b->training || b->is_probe || options->p == 0)
        return x[0];
    return op_mul(x[0], op_dropout_mask(b->graph, x[0]->shape, options->p, random_hash(layer->path)));
}

const LayerType layer_dropout = {
    .name = "dropout",
    .help = "zeros elements at random while training",
    .fields = fields,
    .options_size = sizeof(Options),
    .declare = declare,
    .build = build,
};
