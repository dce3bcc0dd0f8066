/* A table in text: one column is the target, all others are inputs.
 *
 * Read twice: first to count the rows and to see that each has all its cells, then for the numbers, so that no more is held
 * in memory than the file and the samples. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/class_labels.h"
#include "data/csv_record.h"
#include "data/reader.h"

enum { CLASSES_MAX = 1 << 24 };

typedef enum Task { TASK_CLASSIFICATION, TASK_REGRESSION } Task;
static const char *const task_choices[] = {"classification", "regression", NULL};

typedef struct Options {
    const char *path;
    const Json *target; /* NULL: the last column */
    int task;
    bool header; /* where the object has the key */
} Options;

typedef struct Table {
    Arena *scratch;
    const char *path;
    CsvText rows;      /* at the first row of data */
    const char **name; /* of the columns, NULL without a header */
    int columns, target;
} Table;

/* "`age`", or "column 3" (from 0, as `target` counts) where it has no name. */
static const char *column_text(const Table *table, int column)
{
    if (table->name && table->name[column][0] != 0)
        return arena_printf(table->scratch, "column `%s`", table->name[column]);
    return arena_printf(table->scratch, "column %d", column);
}

static bool has_text(const CsvRecord *record)
{
    double number;
    for (int i = 0; i < record->count; i++)
        if (!csv_number(csv_cell(record, i), &number))
            return true;
    return false;
}

/* Opens the file, and reads the first row as header where it is one. */
static bool open_table(const Options *options, const Json *object, Table *table, Error *err)
{
    Bytes bytes;
    table->path = options->path;
    if (!file_read_gzip(table->scratch, options->path, READER_UNPACKED_LIMIT, &bytes, err))
        return false;
    if (memchr(bytes.at, 0, bytes.count))
        return error_in_file(err, table->path, 0, 0, "no text file in UTF-8 or ASCII: it has zero bytes");
    CsvText start = csv_open(options->path, bytes);
    table->rows = start;
    CsvRecord record = csv_record_new(table->scratch);
    if (!csv_next(&table->rows, &record, err))
        return !table->rows.is_broken && error_in_file(err, table->path, 0, 0, "the file has no rows");
    table->columns = record.count;
    if (reader_has(object, "header") ? options->header : has_text(&record)) {
        table->name = ARENA_ARRAY(table->scratch, const char *, table->columns);
        for (int i = 0; i < table->columns; i++)
            table->name[i] = arena_strdup(table->scratch, csv_cell(&record, i));
    } else {
        table->rows = start;
    }
    return table->columns > 1 ||
           error_in_file(err, table->path, record.line, 0, "there is one column only: a target without inputs");
}

static bool choose_target(const Json *target, Table *table, Error *err)
{
    table->target = table->columns - 1;
    if (!target)
        return true;
    if (target->type == JSON_NUMBER) {
        if (!(target->number >= 0 && target->number < table->columns && floor(target->number) == target->number))
            return error_at(err, target, "`target` must be a column from 0 to %d, got %g", table->columns - 1, target->number);
        table->target = (int)target->number;
        return true;
    }
    if (target->type != JSON_STRING)
        return error_at(err, target, "`target` is the name of a column, or its number from 0");
    int found = 0;
    for (int i = 0; table->name && i < table->columns; i++)
        if (strcmp(table->name[i], target->string) == 0) {
            table->target = i;
            found++;
        }
    if (found == 1)
        return true;
    if (!table->name) {
        error_at(err, target, "the file has no header to find `%s` in", target->string);
        return error_hint(err, "give the column's number, from 0 to %d", table->columns - 1);
    }
    error_at(err, target, found ? "the file has several columns `%s`" : "the file has no column `%s`", target->string);
    return error_suggest(err, target->string, table->name, table->columns);
}

static bool count_rows(const Table *table, size_t *rows, Error *err)
{
    CsvText csv = table->rows;
    CsvRecord record = csv_record_new(table->scratch);
    bool is_right = true;
    for (*rows = 0; csv_next(&csv, &record, err); ++*rows)
        if (record.count != table->columns)
            is_right = error_in_file(err, table->path, record.line, 0, "row %ld has %d cells, the first row has %d",
                                     record.line, record.count, table->columns);
    if (csv.is_broken || !is_right)
        return false;
    return *rows > 0 || error_in_file(err, table->path, 0, 0, "the file has a header, but no rows of data");
}

/* A double beyond float's range becomes infinite here; the conversion itself would be undefined. */
static float float_of(double number)
{
    return fabs(number) > (double)FLT_MAX ? (float)copysign(INFINITY, number) : (float)number;
}

static bool read_number(const Table *table, const CsvRecord *record, int column, float *into, Error *err)
{
    double number;
    const char *cell = csv_cell(record, column);
    if (csv_number(cell, &number)) {
        *into = float_of(number);
        return true;
    }
    const char *what = cell[0] ? arena_printf(table->scratch, "`%s` is no number", cell) : "the cell is empty";
    return error_in_file(err, table->path, record->line, record->cell[column].column, "row %ld, %s: %s", record->line,
                         column_text(table, column), what);
}

static bool read_label(const Table *table, const CsvRecord *record, ClassLabels *labels, float *into, Error *err)
{
    const char *cell = csv_cell(record, table->target);
    const CsvCell *place = &record->cell[table->target];
    if (!cell[0])
        return error_in_file(err, table->path, record->line, place->column, "row %ld, %s: the class is missing", record->line,
                             column_text(table, table->target));
    *into = (float)class_labels_add(labels, cell, record->line, place->column);
    return *into < CLASSES_MAX ||
           error_in_file(err, table->path, record->line, 0, "there are more than %d classes", CLASSES_MAX);
}

/* Reads all numbers; of each column, the first cell that is none is reported. */
static bool read_rows(const Table *table, Task task, ClassLabels *labels, Dataset *into, Error *err)
{
    CsvText csv = table->rows;
    CsvRecord record = csv_record_new(table->scratch);
    bool *is_broken = ARENA_ARRAY(table->scratch, bool, table->columns), is_right = true;
    float *input = into->inputs;
    for (size_t row = 0; row < into->samples && csv_next(&csv, &record, err); row++)
        for (int i = 0; i < table->columns; i++) {
            float *place = i == table->target ? &into->targets[row] : input++;
            if (is_broken[i])
                continue;
            bool is_label = i == table->target && task == TASK_CLASSIFICATION;
            is_broken[i] =
                is_label ? !read_label(table, &record, labels, place, err) : !read_number(table, &record, i, place, err);
            is_right = is_right && !is_broken[i];
        }
    return is_right;
}

/* The targets hold entries of `labels`; they become class numbers. */
static bool number_classes(Arena *arena, const Table *table, const ClassLabels *labels, Dataset *into, Error *err)
{
    const char *text;
    long line, column;
    if (class_labels_find_nonfinite(labels, &text, &line, &column)) {
        error_in_file(err, table->path, line, column, "row %ld, %s: `%s` is no class", line, column_text(table, table->target),
                      text);
        return error_hint(err, "for a target that is a quantity, say \"task\": \"regression\"");
    }
    const int *class_of;
    const char *const *names;
    into->target_classes = class_labels_number(labels, &class_of, &names);
    for (size_t i = 0; i < into->samples; i++)
        into->targets[i] = (float)class_of[(int)into->targets[i]];
    const char **kept = ARENA_ARRAY(arena, const char *, into->target_classes);
    for (int i = 0; i < into->target_classes; i++)
        kept[i] = arena_strdup(arena, names[i]);
    into->class_names = kept;
    return true;
}

static bool read_table(Arena *arena, const Options *options, const Json *object, Table *table, Dataset *into, Error *err)
{
    if (!open_table(options, object, table, err) || !choose_target(options->target, table, err) ||
        !count_rows(table, &into->samples, err))
        return false;
    into->input = SHAPE(table->columns - 1);
    into->target = options->task == TASK_REGRESSION ? SHAPE(1) : SHAPE_SCALAR;
    into->origin = path_name(options->path);
    ClassLabels *labels = class_labels_new(table->scratch);
    return reader_allocate(arena, object, into, err) && read_rows(table, (Task)options->task, labels, into, err) &&
           (options->task == TASK_REGRESSION || number_classes(arena, table, labels, into, err));
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    Table table = {.scratch = arena_new(arena)};
    bool is_read = read_table(arena, options, object, &table, into, err);
    arena_free(table.scratch);
    return is_read;
}

static const Field fields[] = {
    {.name = "path",
     .type = FIELD_PATH,
     .offset = offsetof(Options, path),
     .required = true,
     .help = "text file, plain or gzip"},
    {.name = "target",
     .type = FIELD_JSON,
     .offset = offsetof(Options, target),
     .help = "a column's name, or its number from 0; default: the last"},
    {.name = "task",
     .type = FIELD_CHOICE,
     .offset = offsetof(Options, task),
     .standard = "\"classification\"",
     .choices = task_choices,
     .help = "classes in sorted order, or a number to be predicted"},
    {.name = "header",
     .type = FIELD_BOOL,
     .offset = offsetof(Options, header),
     .help = "whether the first row has the names; default: when a cell of it is no number"},
    {.name = NULL},
};

const DataReader reader_csv = {"csv", "a table with comma, semicolon or tab between its cells", fields, sizeof(Options), read};
