/* Tokens become vectors: a learned one for each token, and one for each position. */
#include "nn/layer.h"

enum { SIZE_LIMIT = 1 << 24 };

typedef struct EmbeddingOptions {
    int64_t dim, count;
} EmbeddingOptions;

static const Field embedding_fields[] = {{"dim", FIELD_INTEGER, offsetof(EmbeddingOptions, dim), .required = true,
                                          .limit = FIELD_POSITIVE, .help = "features of a token"},
                                         {"count", FIELD_INTEGER, offsetof(EmbeddingOptions, count), .limit = FIELD_POSITIVE,
                                          .help = "different tokens; by default those of the model's input"},
                                         {0}};

static bool declare_embedding(Layer *layer, ModelReader *reader, Error *err)
{
    const EmbeddingOptions *options = layer->options;
    Model *model = reader->model;
    const int64_t count = options->count ? options->count : model->tokens;
    const bool reads_input = reader->depth == 1 && !layer->source[0];
    if (!count) {
        error_at(err, layer->json, "embedding needs `count`, the number of different tokens: the model's input is not tokens");
        return error_hint(err, "\"input\": {\"tokens\": 96, \"length\": 128} says how many there are");
    }
    if (reads_input && count < model->tokens)
        return error_at(err, json_member(layer->json, "count"),
                        "the model's input has %d tokens, the embedding knows only %lld", model->tokens, (long long)count);
    if (count > SIZE_LIMIT || options->dim > SIZE_LIMIT)
        return error_at(err, layer->json, "%lld tokens of %lld features are too many", (long long)count,
                        (long long)options->dim);
    if (layer->in[0].rank > SHAPE_MAX_RANK - 2)
        return error_at(err, layer->json, "embedding adds an axis, and %s has as many as there can be",
                        shape_text(reader->arena, layer->in[0]));
    if (reads_input && !model->tokens) /* so that the data is checked */
        model->tokens = (int)count;
    layer->output = layer->in[0];
    layer->output.dim[layer->output.rank++] = (int)options->dim;
    layer_declare(layer, reader, "weight", SHAPE((int)count, (int)options->dim), ROLE_GAIN,
                  (Init){.kind = INIT_NORMAL, .std = 1}, (Fan){(int)options->dim, (int)count, 1});
    return true;
}

static Node *build_embedding(const Layer *layer, ModelBuild *build, Node *const x[])
{
    return op_embedding(layer_parameter(layer, build, 0), x[0]);
}

static bool declare_positions(Layer *layer, ModelReader *reader, Error *err)
{
    Shape in = layer->in[0];
    if (in.rank < 2) {
        error_at(err, layer->json, "positions needs samples [position, feature], got %s", shape_text(reader->arena, in));
        return error_hint(err, "an embedding before it gives tokens their features");
    }
    int length = in.dim[in.rank - 2], dim = in.dim[in.rank - 1];
    layer->output = in;
    layer_declare(layer, reader, "weight", SHAPE(length, dim), ROLE_GAIN, (Init){.kind = INIT_NORMAL, .std = 1},
                  (Fan){dim, length, 1});
    return true;
}

static Node *build_positions(const Layer *layer, ModelBuild *build, Node *const x[])
{
    return op_add(x[0], layer_parameter(layer, build, 0));
}

const LayerType layer_embedding = {
    .name = "embedding",
    .help = "a learned vector for each token; weight is [count, dim]",
    .fields = embedding_fields,
    .options_size = sizeof(EmbeddingOptions),
    .keys = KEYS_WEIGHT,
    .declare = declare_embedding,
    .build = build_embedding,
};
const LayerType layer_positions = {
    .name = "positions",
    .help = "adds a learned vector for each position; weight is [length, dim]",
    .keys = KEYS_WEIGHT,
    .declare = declare_positions,
    .build = build_positions,
};
