/* Reading a loss, checking that model and data fit it, building it, counting its terms. */
#include "nn/loss.h"

#include <stddef.h>
#include <string.h>

#include "autograd/expression.h"
#include "autograd/ops.h"
#include "base/fields.h"

struct Loss {
    const LossType *type;
    LossOptions options;
    bool is_sum;
};

#define LOSS(name) extern const LossType loss_##name;
#include "nn/losses.def"

const LossType *const loss_table[] = {
#define LOSS(name) &loss_##name,
#include "nn/losses.def"
};
const int loss_count = sizeof loss_table / sizeof *loss_table;

static bool read_expression(Arena *arena, Loss *loss, Error *err)
{
    static const char *const known[] = {"output", "target"};
    const char *const *names;
    Expression *e = expression_parse(arena, loss->options.expr, NULL, err);
    int count = e ? expression_names(e, &names) : 0;
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], known[0]) != 0 && strcmp(names[i], known[1]) != 0)
            return expression_unknown_name(e, names[i], known, 2, err);
    loss->options.expression = e;
    return e != NULL;
}

Loss *loss_read(Arena *arena, Json *slot, Error *err)
{
    typedef struct Common {
        const char *type;
        int reduction;
    } Common;
    static const char *const reductions[] = {"mean", "sum", NULL};
    static const Field fields[] = {{"type", FIELD_STRING, offsetof(Common, type), .required = true, .help = "a loss's name"},
                                   {"reduction", FIELD_CHOICE, offsetof(Common, reduction), "\"mean\"", .choices = reductions,
                                    .help = "mean or sum of the terms"},
                                   {0}};
    if (slot->type == JSON_STRING) { /* "mse" is short for {"type": "mse"} */
        Json *object = json_new(arena, JSON_OBJECT);
        object->source = slot->source;
        object->begin = slot->begin;
        object->end = slot->end;
        json_add_member(arena, object, "type", json_copy(arena, slot));
        json_replace(slot, object);
    }
    if (!json_member(slot, "type") && json_member(slot, "expr"))
        json_add_member(arena, slot, "type", json_new_string(arena, "expression"));
    const Json *name = json_member(slot, "type");
    if (!name) {
        error_at(err, slot, "`loss` must be a name or an object with a `type`");
        return NULL;
    }
    const char *names[sizeof loss_table / sizeof *loss_table + 1] = {NULL};
    for (int i = 0; i < loss_count; i++)
        names[i] = loss_table[i]->name;
    int index = fields_choose(name, "loss", names, err);
    if (index < 0)
        return NULL;
    Loss *loss = ARENA_NEW(arena, Loss);
    Common common = {0};
    loss->type = loss_table[index];
    const FieldSet sets[] = {{fields, &common}, {loss->type->fields, &loss->options}};
    if (!fields_read(arena, slot, "the loss", sets, 2, err))
        return NULL;
    loss->is_sum = common.reduction == 1;
    return !loss->options.expr || read_expression(arena, loss, err) ? loss : NULL;
}

const char *loss_name(const Loss *loss)
{
    return loss->type->name;
}

bool loss_is_sum(const Loss *loss)
{
    return loss->is_sum;
}

/* The shape of class numbers that go with an output: without its class axis. */
static Shape class_shape(Shape output)
{
    Shape shape = output;
    if (output.rank == 3)
        return SHAPE(output.dim[1], output.dim[2]);
    shape.rank -= shape.rank > 0;
    return shape;
}

static int class_count(Shape output)
{
    return output.rank == 3 ? output.dim[0] : shape_last(output);
}

/* Equal but for axes of size one. */
static bool same_but_ones(Shape a, Shape b)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < a.rank && a.dim[i] == 1)
            i++;
        while (j < b.rank && b.dim[j] == 1)
            j++;
        if (i == a.rank || j == b.rank)
            return i == a.rank && j == b.rank;
        if (a.dim[i++] != b.dim[j++])
            return false;
    }
}

/* Builds the expression for two samples, so that its mistakes are found before anything runs. */
static bool check_expression(const Loss *loss, Shape output, const Targets *targets, Arena *scratch, Error *err)
{
    static const char *const names[] = {"output", "target"};
    Graph *graph = graph_new(scratch);
    Shape target = same_but_ones(output, targets->shape) ? output : targets->shape;
    Node *const nodes[] = {graph_input(graph, "output", shape_prepend(2, output)),
                           graph_input(graph, "target", shape_prepend(2, target))};
    Node *y = expression_build(loss->options.expression, graph, &(Scope){.names = names, .nodes = nodes, .count = 2}, err);
    if (!y)
        return false;
    if (shape_count(y->shape) == 1)
        return true;
    error_at(err, loss->options.expr, "a loss is one number, this expression gives %s", shape_text(scratch, y->shape));
    return error_hint(err, "put it into mean(...) or sum(...)");
}

bool loss_check(const Loss *loss, Shape output, const Targets *targets, const Json *slot, Arena *scratch, Error *err)
{
    const char *name = loss->type->name;
    if (loss->type->ignores_targets)
        return true;
    if (loss->type->is_whole)
        return check_expression(loss, output, targets, scratch, err);
    if (!loss->type->wants_classes) {
        if (same_but_ones(output, targets->shape))
            return true;
        error_at(err, slot, "%s compares outputs of %s with targets of %s, which are of another shape", name,
                 shape_text(scratch, output), shape_text(scratch, targets->shape));
        return error_hint(err, targets->classes ? "targets that are class numbers go with cross_entropy"
                                                : "the last layer's `out` must be the number of targets");
    }
    if (!targets->classes && !(targets->integers && targets->shape.rank > 0)) {
        error_at(err, slot, "%s needs class numbers as targets, the data has other numbers", name);
        return error_hint(err,
                          "mse and huber compare numbers; a csv file is read as classes with \"task\": \"classification\"");
    }
    if (output.rank < 1 || !same_but_ones(class_shape(output), targets->shape))
        return error_at(err, slot, "%s: outputs of %s do not go with class numbers of %s", name, shape_text(scratch, output),
                        shape_text(scratch, targets->shape));
    if (class_count(output) < targets->classes) {
        error_at(err, slot, "the data has %d classes, the model's output only %d", targets->classes, class_count(output));
        return error_hint(err, "the last layer's `out` must be at least %d", targets->classes);
    }
    return true;
}

int loss_classes(const Loss *loss, Shape output)
{
    return loss->type->wants_classes ? class_count(output) : 0;
}

LossNodes loss_build(const Loss *loss, const Targets *targets, Node *output, int batch)
{
    Graph *graph = output->graph;
    const Precision autocast = graph->autocast;
    graph->autocast = PRECISION_FLOAT32;
    output = op_cast(output, PRECISION_FLOAT32);
    LossNodes nodes = {
        .target = graph_input(graph, "target", shape_prepend(batch, targets->shape)),
        .factor = graph_input(graph, "loss factor", SHAPE_SCALAR),
    };
    Node *target = nodes.target;
    if (loss->type->wants_classes)
        target = op_reshape(target, shape_prepend(batch, class_shape(shape_rest(output->shape))));
    else if (!loss->type->ignores_targets && same_but_ones(shape_rest(output->shape), targets->shape))
        target = op_reshape(target, output->shape);
    Node *terms = loss->type->terms(&loss->options, output, target);
    nodes.terms = loss->type->is_whole ? NULL : terms;
    nodes.sum = loss->type->is_whole ? op_scale(terms, loss->is_sum ? 1 : batch) : op_sum(terms);
    nodes.value = op_mul(nodes.sum, nodes.factor);
    graph->autocast = autocast;
    return nodes;
}

double loss_terms(const Loss *loss, Shape output, const float *targets, size_t count)
{
    if (loss->type->is_whole)
        return (double)count;
    if (!loss->type->wants_classes)
        return (double)(shape_count(output) * count);
    size_t rows = shape_count(class_shape(output)) * count;
    double terms = 0;
    for (size_t i = 0; i < rows; i++)
        terms += targets[i] >= 0;
    return terms;
}

/* argmax over the class axis; `stride` elements lie between the scores of neighbouring classes. */
static size_t best_class(const float *scores, int classes, size_t stride)
{
    size_t best = 0;
    for (size_t c = 1; c < (size_t)classes; c++)
        if (scores[c * stride] > scores[best * stride])
            best = c;
    return best;
}

double loss_correct(const Loss *loss, Shape output, const float *outputs, const float *targets, size_t count, double *decisions)
{
    double correct = 0;
    *decisions = 0;
    if (loss->type->judges) {
        size_t n = shape_count(output) * count;
        for (size_t i = 0; i < n; i++)
            correct += loss->type->judges((double)outputs[i], (double)targets[i]);
        *decisions = (double)n;
    } else if (loss->type->wants_classes) {
        int classes = class_count(output);
        size_t rows = shape_count(class_shape(output)), stride = output.rank == 3 ? rows : 1;
        for (size_t sample = 0; sample < count; sample++)
            for (size_t r = 0; r < rows; r++) {
                float target = targets[sample * rows + r];
                if (!(target >= 0))
                    continue;
                const float *scores = outputs + sample * shape_count(output) + (stride == 1 ? r * (size_t)classes : r);
                correct += best_class(scores, classes, stride) == (size_t)target;
                *decisions += 1;
            }
    }
    return correct;
}
