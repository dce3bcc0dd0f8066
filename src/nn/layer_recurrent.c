/* rnn, lstm, gru: one layer over the positions of a sequence, from a state of zero; parameters as in torch.nn.RNN, LSTM, GRU.
 */
#include "nn/layer.h"

typedef struct Options {
    int64_t hidden;
    int result, nonlinearity;
    bool bias;
} Options;

enum { RETURN_SEQUENCE, RETURN_LAST };
enum { WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH };

static const char *const results[] = {"sequence", "last", NULL};
static const char *const nonlinearities[] = {"tanh", "relu", NULL};

#define COMMON_FIELDS                                                                                                          \
    {"hidden",         FIELD_INTEGER,           offsetof(Options, hidden),                                                     \
     .required = true, .limit = FIELD_POSITIVE, .help = "features of the state"},                                              \
        {"return",       FIELD_CHOICE,       offsetof(Options, result),                                                        \
         "\"sequence\"", .choices = results, .help = "all states, or the last alone"},                                         \
    {                                                                                                                          \
        "bias", FIELD_BOOL, offsetof(Options, bias), "true", .help = "adds two learned biases"                                 \
    }

static const Field gated_fields[] = {COMMON_FIELDS, {0}};
static const Field rnn_fields[] = {COMMON_FIELDS,
                                   {"nonlinearity", FIELD_CHOICE, offsetof(Options, nonlinearity), "\"tanh\"",
                                    .choices = nonlinearities, .help = "of the state"},
                                   {0}};

static int gates_of(const Layer *layer)
{
    return layer->type == &layer_lstm ? 4 : layer->type == &layer_gru ? 3 : 1;
}

static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    const Options *options = layer->options;
    const int gates = gates_of(layer), hidden = (int)options->hidden;
    if (layer->in[0].rank != 2) {
        error_at(err, layer->json, "%s takes sequences [positions, features], and its input is %s", layer->type->name,
                 shape_text(reader->arena, layer->in[0]));
        return layer->in[0].rank == 1 && layer->source[0] == NULL && reader->model->tokens
                   ? error_hint(err, "an `embedding` before it turns tokens into features")
                   : false;
    }
    if (options->hidden > 1 << 16)
        return error_at(err, json_member(layer->json, "hidden"), "%lld features of the state are too many",
                        (long long)options->hidden);
    const int in = shape_last(layer->in[0]);
    const Init standard = init_fan_in_uniform(hidden);
    layer->output = options->result == RETURN_LAST ? SHAPE(hidden) : SHAPE(layer->in[0].dim[0], hidden);
    /* A named init sees each gate's matrix by itself. */
    layer_declare(layer, reader, "weight_ih_l0", SHAPE(gates * hidden, in), ROLE_WEIGHT, standard, (Fan){in, hidden, gates});
    layer_declare(layer, reader, "weight_hh_l0", SHAPE(gates * hidden, hidden), ROLE_WEIGHT, standard,
                  (Fan){hidden, hidden, gates});
    if (options->bias) {
        layer_declare(layer, reader, "bias_ih_l0", SHAPE(gates * hidden), ROLE_BIAS, standard, (Fan){in, hidden, gates});
        layer_declare(layer, reader, "bias_hh_l0", SHAPE(gates * hidden), ROLE_BIAS, standard, (Fan){hidden, hidden, gates});
    }
    return true;
}

/* The products of all positions' inputs at once. Only gru needs to know the recurrent bias for itself. */
static Node *input_products(const Layer *layer, ModelBuild *b, Node *x)
{
    const Options *options = layer->options;
    Node *bias = options->bias ? layer_parameter(layer, b, BIAS_IH) : NULL;
    if (bias && layer->type != &layer_gru)
        bias = op_add(bias, layer_parameter(layer, b, BIAS_HH));
    return op_linear(x, layer_parameter(layer, b, WEIGHT_IH), bias);
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    const Options *options = layer->options;
    const bool last = options->result == RETURN_LAST;
    Node *products = input_products(layer, b, x[0]), *weight = layer_parameter(layer, b, WEIGHT_HH);
    if (layer->type == &layer_rnn)
        return op_rnn(products, weight, options->nonlinearity == 1, last);
    if (layer->type == &layer_lstm)
        return op_lstm(products, weight, last);
    if (options->bias)
        weight = op_concat(weight, op_reshape(layer_parameter(layer, b, BIAS_HH), SHAPE(weight->shape.dim[0], 1)), 1);
    return op_gru(products, weight, last);
}

const LayerType layer_rnn = {
    .name = "rnn",
    .help = "recurrent layer: tanh or relu of input and last state",
    .fields = rnn_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
const LayerType layer_lstm = {
    .name = "lstm",
    .help = "long short-term memory; gates i, f, g, o",
    .fields = gated_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
const LayerType layer_gru = {
    .name = "gru",
    .help = "gated recurrent unit; gates r, z, n",
    .fields = gated_fields,
    .options_size = sizeof(Options),
    .keys = KEYS_WEIGHT | KEYS_BIAS,
    .declare = declare,
    .build = build,
};
