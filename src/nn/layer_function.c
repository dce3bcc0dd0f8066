/* A layer whose value is an expression in x, and whose derivative may be one of its own, in x, y and grad. */
#include <string.h>

#include "autograd/expression.h"
#include "nn/layer.h"

typedef struct Options {
    Json *expr, *grad;
    const Expression *value, *gradient; /* parsed when the layer is declared */
} Options;

static const Field fields[] = {
    {"expr", FIELD_JSON, offsetof(Options, expr), .required = true, .help = "the value, in x"},
    {"grad", FIELD_JSON, offsetof(Options, grad),
     .help = "the gradient of x, in x, the output y and the incoming grad; by default the value's derivative"},
    {0}};

static const Expression *parse(const Json *text, const char *const known[], int count, ModelReader *reader, Error *err)
{
    const char *const *names;
    Expression *e = expression_parse(reader->arena, text, NULL, err);
    int used = e ? expression_names(e, &names) : 0;
    for (int i = 0; i < used; i++) {
        bool is_known = false;
        for (int k = 0; k < count; k++)
            is_known |= !strcmp(names[i], known[k]);
        if (!is_known && !expression_unknown_name(e, names[i], known, count, err))
            return NULL;
    }
    return e;
}

static Node *value_of(const Layer *layer, Node *x, Error *err)
{
    static const char *const names[] = {"x"};
    const Options *options = layer->options;
    Node *y = expression_build(options->value, x->graph, &(Scope){.names = names, .nodes = &x, .count = 1}, err);
    return y && options->gradient ? expression_custom(y, x, "x", options->gradient) : y;
}

/* The shape is found by building the value for two samples: the first axis must stay the batch. The derivative is built as
 * well, so that its mistakes are found here, too. */
static bool declare(Layer *layer, ModelReader *reader, Error *err)
{
    Options *options = layer->options;
    options->value = parse(options->expr, (const char *const[]){"x"}, 1, reader, err);
    options->gradient = options->grad ? parse(options->grad, (const char *const[]){"x", "y", "grad"}, 3, reader, err) : NULL;
    if (!options->value || (options->grad && !options->gradient))
        return false;
    Arena *scratch = arena_new(reader->arena);
    Graph *graph = graph_new(scratch);
    Node *x = graph_input(graph, "x", shape_prepend(2, layer->in[0])), *grad;
    Node *y = value_of(layer, x, err);
    bool fine = y != NULL;
    if (fine && (y->shape.rank < 1 || y->shape.dim[0] != 2))
        fine = error_at(err, options->expr,
                        "the value's first axis must be that of the samples; this one gives %s for samples of %s",
                        shape_text(scratch, y->shape), shape_text(scratch, layer->in[0]));
    if (fine) {
        layer->output = shape_rest(y->shape);
        graph_gradient(op_sum(y), NULL, &x, 1, NULL, 0, &grad);
        if (graph->error)
            fine = error_at(err, options->grad ? options->grad : options->expr, "%s", graph->error);
    }
    arena_free(scratch);
    return fine;
}

static Node *build(const Layer *layer, ModelBuild *b, Node *const x[])
{
    Error *err = error_new(b->graph->arena);
    Node *y = value_of(layer, x[0], err);
    return y ? y : graph_fail(b->graph, "%s", error_message(err, 0));
}

const LayerType layer_function = {
    .name = "function",
    .help = "an expression in x, with its own derivative where wanted",
    .fields = fields,
    .options_size = sizeof(Options),
    .declare = declare,
    .build = build,
};
