/* cli/inspect_document.c: a model, config or run as JSON. */
#include "cli/document.h"
#include "cli/inspect.h"

static void add_layers(Arena *arena, const Subject *subject, Json *result)
{
    Json *layers = document_add(arena, result, "layers", JSON_ARRAY);
    for (int i = 0; i < subject->model->leaves; i++) {
        const Layer *layer = subject->model->leaf[i];
        Json *row = json_new(arena, JSON_OBJECT);
        document_add_string(arena, row, "name", layer_path(layer));
        document_add_string(arena, row, "type", layer_type_name(layer));
        json_add_member(arena, row, "output", document_shape(arena, layer_output(layer)));
        document_add_number(arena, row, "parameters", (double)inspect_layer_parameters(subject->model, layer));
        json_add_item(layers, row);
    }
}

static void add_memory(Arena *arena, const Subject *subject, Json *result)
{
    Json *memory = document_add(arena, result, "memory", JSON_OBJECT);
    document_add_number(arena, memory, "parameters", (double)model_parameter_count(subject->model) * sizeof(float));
    document_add_number(arena, memory, "optimizer", subject->config ? (double)config_optimizer_bytes(subject->config) : 0);
    document_add_number(arena, memory, "workspace", (double)subject->workspace_bytes);
    if (subject->trainer)
        document_add_number(arena, memory, "gradients", (double)trainer_gradient_bytes(subject->trainer));
}

static void add_data(Arena *arena, const Subject *subject, Json *result)
{
    const DataSplit *split = &subject->config->data;
    const DataFacts *facts = subject->data;
    Json *data = document_add(arena, result, "data", JSON_OBJECT);
    document_add_string(arena, data, "type", split->type);
    document_add_number(arena, data, "samples", (double)split->training.samples);
    document_add_number(arena, data, "validation", (double)split->validation.samples);
    json_add_member(arena, data, "input", document_shape(arena, split->training.input));
    json_add_member(arena, data, "target", document_shape(arena, split->training.target));
    document_add_number(arena, data, "min", facts->min);
    document_add_number(arena, data, "max", facts->max);
    document_add_number(arena, data, "nonfinite", (double)facts->nonfinite);
    Json *classes = document_add(arena, data, "classes", facts->classes ? JSON_ARRAY : JSON_NULL);
    for (int i = 0; i < facts->classes; i++)
        json_add_item(classes, document_number(arena, (double)facts->count[i]));
}

static Json *nested_values(Arena *arena, Shape shape, int axis, const float **next)
{
    if (axis == shape.rank)
        return document_number(arena, (double)*(*next)++);
    Json *list = json_new(arena, JSON_ARRAY);
    for (int i = 0; i < shape.dim[axis]; i++)
        json_add_item(list, nested_values(arena, shape, axis + 1, next));
    return list;
}

static Json *gradient_row(Arena *arena, const Subject *subject, int index)
{
    const Parameter *parameter = subject->model->parameter[index];
    Json *row = json_new(arena, JSON_OBJECT);
    Statistics s;
    document_add_string(arena, row, "name", parameter->name);
    json_add_member(arena, row, "shape", document_shape(arena, parameter->shape));
    document_add_number(arena, row, "count", (double)shape_count(parameter->shape));
    if (!inspect_gradient(subject, index, &s)) {
        document_add_string(arena, row, "norm", NULL);
        document_add_string(arena, row, "reason", trainer_gradient_reason(subject->trainer, index, arena));
        return row;
    }
    document_add_number(arena, row, "norm", statistics_norm(&s));
    document_add_number(arena, row, "mean", statistics_mean(&s));
    document_add_number(arena, row, "std", statistics_std(&s));
    document_add_number(arena, row, "min", s.min);
    document_add_number(arena, row, "max", s.max);
    document_add_number(arena, row, "zeros", (double)s.zeros / (double)s.count);
    document_add_number(arena, row, "nonfinite", (double)s.nonfinite);
    const float *values = trainer_gradient(subject->trainer, index);
    if (inspect_shows_values(subject, index))
        json_add_member(arena, row, "values", nested_values(arena, parameter->shape, 0, &values));
    return row;
}

static void add_run(Arena *arena, const RunFacts *facts, Json *result)
{
    Json *run = document_add(arena, result, "run", JSON_OBJECT);
    document_add_string(arena, run, "folder", facts->folder);
    document_add_string(arena, run, "status", facts->status);
    document_add_number(arena, run, "steps", (double)facts->steps);
    document_add_number(arena, run, "loss", facts->loss);
}

void inspect_print_document(Command *cmd, const Subject *subject)
{
    Arena *arena = cmd->arena;
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_string(arena, result, "kind", subject->run ? "run" : subject->config ? "config" : "model");
    document_add_string(arena, result, "name", subject->config ? subject->config->name : subject->model->name);
    document_add_number(arena, result, "parameters", (double)model_parameter_count(subject->model));
    json_add_member(arena, result, "input", document_shape(arena, subject->model->input));
    add_layers(arena, subject, result);
    add_memory(arena, subject, result);
    document_add_number(arena, result, "flops", subject->flops);
    document_add_number(arena, result, "batch", (double)subject->batch);
    if (subject->run)
        add_run(arena, subject->run, result);
    if (subject->config) {
        add_data(arena, subject, result);
        document_add_number(arena, result, "loss", subject->step.loss);
        document_add_number(arena, result, "grad_norm", subject->step.grad_norm);
        Json *gradients = document_add(arena, result, "gradients", JSON_ARRAY);
        for (int i = 0; i < subject->model->parameters; i++)
            json_add_item(gradients, gradient_row(arena, subject, i));
    }
    document_print(arena, result, cmd->out.stream);
}
