/* cli/inspect_text.c: a model, config or run for the reader at a terminal. */
#include <math.h>

#include "cli/figures.h"
#include "cli/inspect.h"
#include "cli/table.h"

enum { CLASSES_SHOWN = 12, LINE_COLUMNS = 80 };

static void add_layers(Command *cmd, const Subject *subject, Text *text)
{
    Table table = table_new(cmd->arena, "lllr");
    table_add(&table, "layer");
    table_add(&table, "type");
    table_add(&table, "output");
    table_add(&table, "parameters");
    for (int i = 0; i < subject->model->leaves; i++) {
        const Layer *layer = subject->model->leaf[i];
        table_add(&table, layer_path(layer));
        table_add(&table, layer_type_name(layer));
        table_add(&table, shape_text(cmd->arena, layer_output(layer)));
        table_add(&table, figure_count(cmd->arena, (double)inspect_layer_parameters(subject->model, layer)));
    }
    table_write(&table, text);
}

static void add_totals(Command *cmd, const Subject *subject, Text *text)
{
    Arena *arena = cmd->arena;
    double parameters = (double)model_parameter_count(subject->model), frozen = 0;
    for (int i = 0; i < subject->model->parameters; i++)
        frozen += subject->model->parameter[i]->frozen ? (double)shape_count(subject->model->parameter[i]->shape) : 0;
    text_printf(text, "\n%s, %s", figure_of(arena, subject->model->leaves, "layer"), figure_of(arena, parameters, "parameter"));
    if (frozen > 0)
        text_printf(text, " (%s frozen)", figure_count(arena, frozen));
    text_printf(text, "; memory: parameters %s", figure_bytes(arena, parameters * sizeof(float)));
    if (subject->config)
        text_printf(text, ", optimizer %s", figure_bytes(arena, (double)config_optimizer_bytes(subject->config)));
    text_printf(text, ", workspace %s", figure_bytes(arena, (double)subject->workspace_bytes));
    if (subject->trainer)
        text_printf(text, " (gradients %s of it)", figure_bytes(arena, (double)trainer_gradient_bytes(subject->trainer)));
    text_add_char(text, '\n');
    text_printf(text, "%s flops in %s of %s\n", figure_count(arena, subject->flops),
                subject->config ? "a training batch" : "a forward pass", figure_of(arena, (double)subject->batch, "sample"));
}

static void add_classes(const Subject *subject, Text *text)
{
    const DataFacts *facts = subject->data;
    const char *const *names = subject->config->data.training.class_names;
    text_printf(text, "      classes %d:", facts->classes);
    for (int i = 0; i < facts->classes && i < CLASSES_SHOWN; i++) {
        double share = facts->counted ? 100 * (double)facts->count[i] / (double)facts->counted : 0;
        text_add(text, i ? ", " : " ");
        if (names)
            text_printf(text, "%s %.1f%%", names[i], share);
        else
            text_printf(text, "%d %.1f%%", i, share);
    }
    text_add(text, facts->classes > CLASSES_SHOWN ? ", ...\n" : "\n");
}

static void add_data(Command *cmd, const Subject *subject, Text *text)
{
    Arena *arena = cmd->arena;
    const DataSplit *data = &subject->config->data;
    const DataFacts *facts = subject->data;
    char low[FIGURE_SIZE], high[FIGURE_SIZE];
    text_printf(text, "\ndata  %s: %s", data->type, figure_of(arena, (double)data->training.samples, "sample"));
    if (data->validation.samples)
        text_printf(text, ", and %s for validation", figure_count(arena, (double)data->validation.samples));
    text_printf(text, "\n      inputs %s", shape_text(arena, data->training.input));
    if (data->training.tokens)
        text_printf(text, " of %d tokens", data->training.tokens);
    text_printf(text, " from %s to %s, targets %s, %s not finite\n", figure(low, facts->min, 3), figure(high, facts->max, 3),
                shape_text(arena, data->training.target), figure_of(arena, (double)facts->nonfinite, "value"));
    if (facts->classes)
        add_classes(subject, text);
}

/* How PyTorch prints: four decimals, and powers of ten where these would lose too much. */
static const char *value_format(const float *values, size_t count)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < count; i++) {
        double magnitude = fabs((double)values[i]);
        if (!isfinite(magnitude) || magnitude == 0)
            continue;
        low = fmin(low, magnitude);
        high = fmax(high, magnitude);
    }
    return high > 0 && (high / low > 1000 || high > 1e8 || low < 1e-4) ? "%11.4e" : "%7.4f";
}

typedef struct TensorWriter {
    Text *text;
    const char *format;
    const float *next;
    Shape shape;
} TensorWriter;

static void add_value(TensorWriter *writer, float value)
{
    char cell[FIGURE_SIZE];
    int width = snprintf(cell, sizeof cell, writer->format, 0.0);
    if (isnan(value)) /* its sign says nothing */
        snprintf(cell, sizeof cell, "%*s", width, "nan");
    else
        snprintf(cell, sizeof cell, writer->format, (double)value);
    text_add(writer->text, cell);
}

static void add_line_break(TensorWriter *writer, int indent)
{
    text_add(writer->text, ",\n");
    for (int i = 0; i < indent; i++)
        text_add_char(writer->text, ' ');
}

static void add_axis(TensorWriter *writer, int axis, int indent)
{
    if (axis == writer->shape.rank) {
        add_value(writer, *writer->next++);
        return;
    }
    bool is_last = axis == writer->shape.rank - 1;
    int width = writer->format[1] == '1' ? 13 : 9, on_a_line = (LINE_COLUMNS - indent) / width;
    on_a_line = on_a_line < 1 ? 1 : on_a_line;
    text_add_char(writer->text, '[');
    for (int i = 0; i < writer->shape.dim[axis]; i++) {
        if (i && (!is_last || i % on_a_line == 0))
            add_line_break(writer, indent + 1);
        else if (i)
            text_add(writer->text, ", ");
        add_axis(writer, axis + 1, indent + 1);
    }
    text_add_char(writer->text, ']');
}

static void add_tensor(Text *text, const Parameter *parameter, const float *values)
{
    TensorWriter writer = {text, value_format(values, shape_count(parameter->shape)), values, parameter->shape};
    text_printf(text, "\n%s.grad =\ntensor(", parameter->name);
    add_axis(&writer, 0, (int)sizeof "tensor(" - 1);
    text_add(text, ")\n");
}

static void add_gradient_row(Command *cmd, const Subject *subject, int index, Table *table, int *missing)
{
    const Parameter *parameter = subject->model->parameter[index];
    Statistics s;
    table_add(table, parameter->name);
    table_add(table, shape_text(cmd->arena, parameter->shape));
    table_add(table, figure_count(cmd->arena, (double)shape_count(parameter->shape)));
    if (!inspect_gradient(subject, index, &s)) {
        table_add(table, "no gradient");
        for (int i = 0; i < 6; i++)
            table_add(table, "");
        *missing += 1;
        return;
    }
    table_figure(table, statistics_norm(&s));
    table_figure(table, statistics_mean(&s));
    table_figure(table, statistics_std(&s));
    table_figure(table, s.min);
    table_figure(table, s.max);
    table_printf(table, "%.1f%%", 100 * (double)s.zeros / (double)s.count);
    table_add(table, s.nonfinite ? figure_count(cmd->arena, (double)s.nonfinite) : "");
}

static void add_gradients(Command *cmd, const Subject *subject, Text *text)
{
    static const char *const heads[] = {"parameter", "shape", "count", "|grad|", "mean", "std", "min", "max", "zeros"};
    char loss[FIGURE_SIZE], norm[FIGURE_SIZE];
    bool has_nonfinite = !isfinite(subject->step.grad_norm);
    int missing = 0;
    text_printf(text, "\ngradients of one step%s: loss %s, |grad| %s\n", subject->run ? " from the last weights" : "",
                figure(loss, subject->step.loss, 4), figure(norm, subject->step.grad_norm, 4));
    Table table = table_new(cmd->arena, "llrrrrrrrr");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(&table, heads[i]);
    table_add(&table, has_nonfinite ? "not finite" : "");
    for (int i = 0; i < subject->model->parameters; i++)
        add_gradient_row(cmd, subject, i, &table, &missing);
    table_write(&table, text);
    text_add(text, missing ? "\n" : "");
    for (int i = 0; missing && i < subject->model->parameters; i++)
        if (!trainer_gradient(subject->trainer, i))
            text_printf(text, "%s has no gradient: %s\n", subject->model->parameter[i]->name,
                        trainer_gradient_reason(subject->trainer, i, cmd->arena));
    for (int i = 0; i < subject->model->parameters; i++)
        if (inspect_shows_values(subject, i))
            add_tensor(text, subject->model->parameter[i], trainer_gradient(subject->trainer, i));
}

void inspect_print_text(Command *cmd, const Subject *subject)
{
    Text text = text_new(cmd->arena);
    char loss[FIGURE_SIZE];
    const char *name = subject->config ? subject->config->name : subject->model->name;
    text_printf(&text, "%s%s%s  %s\n", terminal_bold(&cmd->out), name ? name : "model", terminal_plain(&cmd->out),
                subject->path);
    if (subject->run)
        text_printf(&text, "run   %s after %s, loss %s\n", subject->run->status,
                    figure_of(cmd->arena, (double)subject->run->steps, "step"), figure(loss, subject->run->loss, 4));
    text_printf(&text, "input %s\n\n", shape_text(cmd->arena, subject->model->input));
    add_layers(cmd, subject, &text);
    add_totals(cmd, subject, &text);
    if (subject->config) {
        add_data(cmd, subject, &text);
        add_gradients(cmd, subject, &text);
    }
    fwrite(text.at, 1, text.length, cmd->out.stream);
}
