/* cli/inspect_tensors.c: what is in a .safetensors file. */
#include <math.h>

#include "cli/document.h"
#include "cli/figures.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "tensor/tensor_file.h"

/* What is shown of one tensor; of a type that has no float32 values, only its size. */
typedef struct TensorFacts {
    bool has_values;
    Statistics statistics;
} TensorFacts;

static bool measure(Command *cmd, const FileTensor *tensor, TensorFacts *facts)
{
    Arena *scratch = arena_new(cmd->arena);
    size_t count = shape_count(tensor->shape);
    float *values = arena_try(scratch, sizeof *values * (count + 1));
    bool fine = values != NULL;
    if (!fine)
        error_add(cmd->err, "%s needs %zu bytes, which cannot be had", tensor->name, sizeof *values * count);
    facts->has_values = fine && tensor_file_floats(tensor, values, error_new(scratch));
    if (facts->has_values)
        facts->statistics = statistics_of(variant_best(), values, count);
    arena_free(scratch);
    return fine;
}

static double largest(const Statistics *s)
{
    return isnan(s->min) ? s->min : s->count ? fmax(fabs(s->min), fabs(s->max)) : 0;
}

static double zero_share(const Statistics *s)
{
    return s->count ? (double)s->zeros / (double)s->count : 0;
}

static void add_row(Command *cmd, const FileTensor *tensor, const TensorFacts *facts, Table *table)
{
    const Statistics *s = &facts->statistics;
    table_add(table, tensor->name);
    table_add(table, shape_text(cmd->arena, tensor->shape));
    table_add(table, tensor->dtype);
    table_add(table, figure_count(cmd->arena, (double)shape_count(tensor->shape)));
    if (!facts->has_values) {
        for (int i = 0; i < 5; i++)
            table_add(table, "-");
        return;
    }
    table_figure(table, statistics_mean(s));
    table_figure(table, statistics_std(s));
    table_figure(table, largest(s));
    table_printf(table, "%.1f%%", 100 * zero_share(s));
    table_printf(table, "%llu", (unsigned long long)s->nonfinite);
}

static void print_text(Command *cmd, const TensorFile *file, const TensorFacts *facts)
{
    static const char *const heads[] = {"tensor", "shape", "dtype", "params", "mean", "std", "|max|", "zero", "nan"};
    Table table = table_new(cmd->arena, "lllrrrrrr");
    Text text = text_new(cmd->arena);
    double count = 0, bytes = 0;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(&table, heads[i]);
    for (int i = 0; i < file->count; i++) {
        add_row(cmd, &file->tensor[i], &facts[i], &table);
        count += (double)shape_count(file->tensor[i].shape);
        bytes += (double)file->tensor[i].bytes;
    }
    table_write(&table, &text);
    text_printf(&text, "\n%s, %s, %s", figure_of(cmd->arena, file->count, "tensor"), figure_of(cmd->arena, count, "parameter"),
                figure_bytes(cmd->arena, bytes));
    if (file->format)
        text_printf(&text, ", metadata format=%s", file->format);
    text_add_char(&text, '\n');
    fwrite(text.at, 1, text.length, cmd->out.stream);
}

static Json *document_row(Arena *arena, const FileTensor *tensor, const TensorFacts *facts)
{
    const Statistics *s = &facts->statistics;
    Json *row = json_new(arena, JSON_OBJECT);
    document_add_string(arena, row, "name", tensor->name);
    json_add_member(arena, row, "shape", document_shape(arena, tensor->shape));
    document_add_string(arena, row, "dtype", tensor->dtype);
    document_add_number(arena, row, "parameters", (double)shape_count(tensor->shape));
    if (!facts->has_values)
        return row;
    document_add_number(arena, row, "mean", statistics_mean(s));
    document_add_number(arena, row, "std", statistics_std(s));
    document_add_number(arena, row, "max_abs", largest(s));
    document_add_number(arena, row, "zeros", zero_share(s));
    document_add_number(arena, row, "nonfinite", (double)s->nonfinite);
    return row;
}

static void print_document(Command *cmd, const TensorFile *file, const TensorFacts *facts)
{
    Arena *arena = cmd->arena;
    Json *result = json_new(arena, JSON_OBJECT);
    double count = 0, bytes = 0;
    for (int i = 0; i < file->count; i++) {
        count += (double)shape_count(file->tensor[i].shape);
        bytes += (double)file->tensor[i].bytes;
    }
    document_add_string(arena, result, "kind", "tensors");
    document_add_number(arena, result, "parameters", count);
    Json *memory = document_add(arena, result, "memory", JSON_OBJECT);
    document_add_number(arena, memory, "parameters", bytes);
    document_add_string(arena, result, "format", file->format);
    Json *tensors = document_add(arena, result, "tensors", JSON_ARRAY);
    for (int i = 0; i < file->count; i++)
        json_add_item(tensors, document_row(arena, &file->tensor[i], &facts[i]));
    document_print(arena, result, cmd->out.stream);
}

int inspect_tensors(Command *cmd, const char *path)
{
    const TensorFile *file = tensor_file_read(cmd->arena, path, cmd->err);
    if (!file)
        return EXIT_FAILED;
    TensorFacts *facts = ARENA_ARRAY(cmd->arena, TensorFacts, file->count);
    for (int i = 0; i < file->count; i++)
        if (!measure(cmd, &file->tensor[i], &facts[i]))
            return EXIT_FAILED;
    if (cmd->common.json)
        print_document(cmd, file, facts);
    else
        print_text(cmd, file, facts);
    return EXIT_HEALTHY;
}
