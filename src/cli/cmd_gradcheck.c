/* cli/cmd_gradcheck.c: analytic against numeric derivatives: of operators, of an expression, of a whole model with its loss. */
#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/array_text.h"
#include "cli/gradcheck_report.h"
#include "cli/grad.h"
#include "train/config.h"

typedef struct Args {
    StringList words, sets, definitions;
    double eps, atol, rtol;
    int64_t order, samples, batch;
} Args;

static const Option options[] = {
    {"WHAT...", 0, OPT_LIST, offsetof(Args, words),
     .help = "an operator, a config, or an expression and values (x=2); without it, all operators"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE", .help = "set a key of the config"},
    {"define", 0, OPT_LIST, offsetof(Args, definitions), .value = "DEF",
     .help = "a function: 'f(x) = x^2', or 'f(x) = x^2 = 2*x'"},
    {"eps", 0, OPT_NUMBER, offsetof(Args, eps), .value = "H", .standard = "1e-6", .low = 1e-12, .high = 1,
     .help = "step of the differences"},
    {"atol", 0, OPT_NUMBER, offsetof(Args, atol), .value = "A", .standard = "1e-5", .low = 0, .high = 1e300,
     .help = "absolute tolerance: |analytic - numeric| <= atol + rtol |numeric|"},
    {"rtol", 0, OPT_NUMBER, offsetof(Args, rtol), .value = "R", .standard = "1e-3", .low = 0, .high = 1e300,
     .help = "relative tolerance"},
    {"order", 0, OPT_INTEGER, offsetof(Args, order), .value = "N", .standard = "2", .low = 1, .high = GRADCHECK_ORDERS,
     .help = "1: gradients; 2: their gradients, too"},
    {"samples", 0, OPT_INTEGER, offsetof(Args, samples), .value = "N", .standard = "8", .low = 8, .high = 1e9,
     .help = "elements of each parameter tensor that are checked, besides a random direction"},
    {"batch", 0, OPT_INTEGER, offsetof(Args, batch), .value = "N", .standard = "8", .low = 1, .high = 1e6,
     .help = "samples of the config's data, at most its batch size"},
    OPTIONS_END,
};

enum { ELEMENTS_OF_EXAMPLES = 256 };

static GradcheckOptions options_of(const Args *args, bool is_config)
{
    return (GradcheckOptions){.tolerance = {args->eps, args->atol, args->rtol},
                              .orders = (int)args->order,
                              .samples = is_config ? (size_t)args->samples : ELEMENTS_OF_EXAMPLES};
}

/* ---- operators ---- */

static const char *shapes_text(Arena *arena, const OpExample *example)
{
    Text text = text_new(arena);
    for (int i = 0; i < example->inputs; i++)
        text_add(&text, shape_text(arena, example->shape[i]));
    return text.at ? text.at : "";
}

static bool check_operator(Command *cmd, const Args *args, const Op *op, GradcheckReport *report)
{
    const GradcheckOptions wanted = options_of(args, false);
    for (const OpExample *example = op->examples; example && example->apply; example++) {
        GradcheckRow rows[GRADCHECK_ORDERS];
        if (!gradcheck_run_example(example, &wanted, rows, cmd->arena, cmd->err))
            return error_add(cmd->err, "operator %s cannot be checked", op->name);
        const char *name = *example->what ? arena_printf(cmd->arena, "%s, %s", op->name, example->what) : op->name;
        for (int k = 0; k < wanted.orders; k++)
            rows[k].name = name;
        gradcheck_report_add(report, rows, wanted.orders, 1, shapes_text(cmd->arena, example));
    }
    return true;
}

static const Op *find_operator(const char *name)
{
    for (int i = 0; i < op_count; i++)
        if (!strcmp(op_table[i]->name, name))
            return op_table[i];
    return NULL;
}

static bool unknown_operator(Command *cmd, const char *name)
{
    const char **names = ARENA_ARRAY(cmd->arena, const char *, op_count);
    for (int i = 0; i < op_count; i++)
        names[i] = op_table[i]->name;
    error_add(cmd->err, "there is no operator `%s`", name);
    error_suggest(cmd->err, name, names, op_count);
    return error_hint(cmd->err, "gradtool list operators lists them; functions stand in an expression: '%s(x)'", name);
}

static bool check_operators(Command *cmd, const Args *args, GradcheckReport *report)
{
    for (int i = 0; i < op_count; i++)
        if (!check_operator(cmd, args, op_table[i], report))
            return false;
    return true;
}

/* ---- an expression ---- */

typedef struct Inputs {
    const GradSession *session;
    Node **x;
} Inputs;

static void fill_inputs(const void *context, const Workspace *w)
{
    const Inputs *inputs = context;
    for (int i = 0; i < inputs->session->variables; i++) {
        const Array *value = &inputs->session->variable[i].value;
        if (workspace_value(w, inputs->x[i]))
            memcpy(workspace_value(w, inputs->x[i]), value->values, sizeof(double) * shape_count(value->shape));
    }
}

/* Numbers between 0.5 and 1.5, where logarithms and powers are at home. */
static void draw_values(GradSession *s, const Expression *expression)
{
    const char *const *names;
    int count = expression_names(expression, &names);
    Random random = random_stream(1, RANDOM_PROBE, 7);
    for (int i = 0; i < count; i++) {
        Array value = array_new(s->cmd->arena, SHAPE_SCALAR);
        value.values[0] = 0.5 + round(1e3 * random_uniform(&random, (uint64_t)i)) / 1e3;
        grad_set_variable(s, names[i], value);
        command_note(s->cmd, "%s=%g (drawn)", names[i], value.values[0]);
    }
}

static const Expression *read_expression(GradSession *s, const Args *args)
{
    Command *cmd = s->cmd;
    const char *text = NULL;
    for (int i = 0; i < args->definitions.count; i++) {
        s->functions = differentiate_define(cmd->arena, args->definitions.at[i], NULL, s->functions, cmd->err);
        if (!s->functions)
            return NULL;
    }
    for (int i = 0; i < args->words.count; i++) {
        size_t length;
        const char *value;
        Array array;
        if (!grad_is_assignment(args->words.at[i], &length, &value)) {
            if (text) {
                error_add(cmd->err, "`%s` is one expression too many", args->words.at[i]);
                return NULL;
            }
            text = args->words.at[i];
        } else if (grad_read_value(s, arena_strndup(cmd->arena, args->words.at[i], length), value, false, &array, cmd->err)) {
            grad_set_variable(s, arena_strndup(cmd->arena, args->words.at[i], length), array);
        } else {
            return NULL;
        }
    }
    if (!text)
        error_add(cmd->err, "there is no expression");
    Expression *e =
        text ? expression_parse(cmd->arena, expression_text(cmd->arena, "expression", text), s->functions, cmd->err) : NULL;
    if (e && !s->variables)
        draw_values(s, e);
    return e && differentiate_check_names(e, s->variable, s->variables, cmd->err) ? e : NULL;
}

static bool check_expression(Command *cmd, const Args *args, GradcheckReport *report)
{
    GradSession session = {.cmd = cmd};
    const Expression *expression = read_expression(&session, args);
    if (!expression)
        return false;
    int n = session.variables;
    if (!n)
        return error_add(cmd->err, "the expression has no variable to differentiate by");
    Inputs inputs = {.session = &session, .x = ARENA_ARRAY(cmd->arena, Node *, n)};
    const char **names = ARENA_ARRAY(cmd->arena, const char *, n);
    Graph *graph = graph_new(cmd->arena);
    for (int i = 0; i < n; i++) {
        names[i] = session.variable[i].name;
        inputs.x[i] = graph_input(graph, names[i], session.variable[i].value.shape);
    }
    Node *value = expression_build(expression, graph, &(Scope){names, inputs.x, n}, cmd->err);
    if (!value)
        return false;
    const GradcheckOptions wanted = options_of(args, false);
    const GradcheckProblem problem = {.graph = graph,
                                      .loss = gradcheck_scalar(value),
                                      .leaf = inputs.x,
                                      .name = names,
                                      .leaves = n,
                                      .sources = {.fill = fill_inputs, .context = &inputs}};
    GradcheckRow *rows = ARENA_ARRAY(cmd->arena, GradcheckRow, n * wanted.orders);
    if (!gradcheck_run(&problem, &wanted, rows, cmd->arena, cmd->err))
        return false;
    for (int i = 0; i < n; i++)
        gradcheck_report_add(report, rows + i, wanted.orders, n, NULL);
    return true;
}

/* ---- a config ---- */

typedef struct Batch {
    const Config *config;
    ModelNodes model;
    LossNodes loss;
    int size;
    float *inputs, *targets;
} Batch;

static void fill_batch(const void *context, const Workspace *w)
{
    const Batch *batch = context;
    double *input = workspace_value(w, batch->model.input), *target = workspace_value(w, batch->loss.target);
    double *factor = workspace_value(w, batch->loss.factor);
    for (size_t i = 0; input && i < shape_count(batch->model.input->shape); i++)
        input[i] = (double)batch->inputs[i];
    for (size_t i = 0; target && i < shape_count(batch->loss.target->shape); i++)
        target[i] = (double)batch->targets[i];
    double terms = loss_terms(batch->config->loss, batch->config->model->output, batch->targets, (size_t)batch->size);
    if (factor)
        *factor = loss_is_sum(batch->config->loss) ? 1 : 1 / terms;
}

static void gather(Batch *batch, Arena *arena)
{
    const Dataset *data = &batch->config->data.training;
    uint32_t *order = ARENA_ARRAY(arena, uint32_t, data->samples);
    dataset_order(data->samples, batch->config->seed, 0, batch->config->train.shuffle, order);
    batch->inputs = ARENA_ARRAY(arena, float, (size_t)batch->size *shape_count(data->input));
    batch->targets = ARENA_ARRAY(arena, float, (size_t)batch->size *shape_count(data->target));
    dataset_gather(data, order, (size_t)batch->size, batch->inputs, batch->targets);
}

static bool check_config(Command *cmd, const Args *args, const char *path, GradcheckReport *report)
{
    Config *config = config_read(cmd->arena, path, args->sets.at, args->sets.count, cmd->err);
    if (!config)
        return false;
    const Model *model = config->model;
    Graph *graph = graph_new(cmd->arena);
    int64_t size = config_micro_size(config, 0);
    Batch batch = {.config = config, .size = (int)(size < args->batch ? size : args->batch)};
    gather(&batch, cmd->arena);
    batch.model = model_build(model, graph, batch.size, true);
    batch.loss = loss_build(config->loss, &config->targets, batch.model.output, batch.size);
    Node **leaf = ARENA_ARRAY(cmd->arena, Node *, model->parameters);
    const char **names = ARENA_ARRAY(cmd->arena, const char *, model->parameters);
    GradcheckProblem problem = {.graph = graph,
                                .loss = batch.loss.value,
                                .leaf = leaf,
                                .name = names,
                                .sources = {.fill = fill_batch, .context = &batch, .run = {.seed = config->seed}}};
    for (int i = 0; i < model->parameters; i++) {
        Node *node = batch.model.state[model->parameter[i]->index];
        if (!node || model->parameter[i]->frozen)
            continue;
        names[problem.leaves] = model->parameter[i]->name;
        leaf[problem.leaves++] = node;
    }
    if (!problem.leaves)
        return error_add(cmd->err, "the model has no parameter that learns");
    const GradcheckOptions wanted = options_of(args, true);
    GradcheckRow *rows = ARENA_ARRAY(cmd->arena, GradcheckRow, problem.leaves * wanted.orders);
    command_note(cmd, "%s: %s of %d samples, in double", config->name, loss_name(config->loss), batch.size);
    if (precision_is_half(config->precision.type))
        command_note(cmd, "the config trains in %s; roundings have no derivative, and none is made here",
                     precision_name(config->precision.type));
    if (!gradcheck_run(&problem, &wanted, rows, cmd->arena, cmd->err))
        return false;
    for (int i = 0; i < problem.leaves; i++)
        gradcheck_report_add(report, rows + i, wanted.orders, problem.leaves, NULL);
    return true;
}

/* ---- which of them ---- */

static bool is_name(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] &&
           !strchr("0123456789", *text);
}

static bool is_config(const char *text)
{
    size_t length = strlen(text);
    return file_exists(text) || (length > 5 && !strcmp(text + length - 5, ".json"));
}

static bool check(Command *cmd, const Args *args, GradcheckReport *report)
{
    const char *what = args->words.count ? args->words.at[0] : NULL;
    if (args->sets.count && !(what && is_config(what)))
        return error_add(cmd->err, "--set is for a config");
    if (!what)
        return check_operators(cmd, args, report);
    if (args->words.count > 1)
        return check_expression(cmd, args, report);
    if (find_operator(what))
        return check_operator(cmd, args, find_operator(what), report);
    if (is_config(what))
        return check_config(cmd, args, what, report);
    return is_name(what) ? unknown_operator(cmd, what) : check_expression(cmd, args, report);
}

static int gradcheck(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    GradcheckReport report = {.cmd = cmd};
    if (!check(cmd, args, &report))
        return EXIT_FAILED;
    if (!gradcheck_report_checked(&report)) {
        error_add(cmd->err, "nothing could be compared: every element stands at a kink");
        return EXIT_FAILED;
    }
    if (cmd->common.json)
        gradcheck_report_print_document(&report);
    else
        gradcheck_report_print_text(&report);
    return gradcheck_report_failed(&report) ? EXIT_FINDINGS : EXIT_HEALTHY;
}

const CommandRow cmd_gradcheck = {
    .name = "gradcheck",
    .help = "analytic against numeric derivatives, of first and second order",
    .options = options,
    .args_size = sizeof(Args),
    .run = gradcheck,
    .example = "gradtool gradcheck configs/spiral.json",
};
