/* Tables of comma-separated text: Lightning's metrics.csv, whose rows are sparse, Keras' CSVLogger, and any other with a row of
 * names and a row a step. */
#include <math.h>
#include <string.h>

#include "data/csv_record.h"
#include "diagnose/foreign_log.h"
#include "diagnose/tag_grammar.h"

static const size_t FILE_LIMIT = (size_t)1 << 32;

typedef struct Table {
    ForeignTag **column; /* NULL for one that says where a row belongs */
    int columns;
    int step; /* the column of the step, or of the epoch; -1: rows are counted */
} Table;

static Table read_names(ForeignLog *log, const CsvRecord *names)
{
    Table table = {.column = ARENA_ARRAY(log->arena, ForeignTag *, names->count), .columns = names->count, .step = -1};
    bool has_step = false;
    for (int i = 0; i < names->count; i++) {
        const char *name = csv_cell(names, i);
        TagKind kind = tag_of(name).kind;
        if (!tag_is_place(kind)) {
            table.column[i] = *name ? foreign_log_tag(log, name, strlen(name)) : NULL;
        } else if (!has_step && (kind == TAG_STEP || table.step < 0)) {
            table.step = i;
            has_step = kind == TAG_STEP;
        }
    }
    /* Lightning's keys are sorted and hold both; Keras writes a row an epoch. */
    bool begins_with_epoch = names->count > 1 && strcmp(csv_cell(names, 0), "epoch") == 0;
    log->kind = has_step && begins_with_epoch ? "Lightning CSV" : begins_with_epoch ? "Keras CSV" : "CSV";
    return table;
}

static void take_row(ForeignLog *log, const Table *table, const CsvRecord *row, int64_t number)
{
    double value;
    int64_t step = number;
    if (table->step >= 0) {
        if (table->step >= row->count || !csv_number(csv_cell(row, table->step), &value) || !(fabs(value) < 9e15))
            return;
        step = (int64_t)value;
    }
    for (int i = 0; i < row->count && i < table->columns; i++)
        if (table->column[i] && csv_number(csv_cell(row, i), &value))
            foreign_log_add(log, table->column[i], step, value);
}

/* A quote that is not closed, as a torn last line has it, ends the reading. */
static bool read_csv(ForeignLog *log, const char *path, Error *err)
{
    Arena *scratch = arena_new(log->arena);
    Bytes bytes;
    if (!file_read_gzip(scratch, path, FILE_LIMIT, &bytes, err)) {
        arena_free(scratch);
        return false;
    }
    CsvText csv = csv_open(path, bytes);
    CsvRecord row = csv_record_new(scratch);
    Error *broken = error_new(scratch);
    bool fine = csv_next(&csv, &row, broken);
    if (fine) {
        Table table = read_names(log, &row);
        while (csv_next(&csv, &row, broken))
            take_row(log, &table, &row, log->records++);
        if (csv.is_broken)
            foreign_log_bad(log, "%s in line %ld of %s", error_message(broken, 0), csv.line, path);
    } else {
        error_add(err, "%s has no row of names", path);
    }
    arena_free(scratch);
    return fine;
}

/* By its name, or a row of names that begins as such rows do. */
static bool is_csv(const char *name, const char *head, size_t count)
{
    (void)count;
    return text_ends_in(name, ".csv") || text_ends_in(name, ".tsv") || strncmp(head, "epoch,", 6) == 0 ||
           strncmp(head, "step,", 5) == 0;
}

extern const ForeignReader foreign_csv;
const ForeignReader foreign_csv = {"csv", "tables of Lightning, Keras and others: a row of names, then a row a step", is_csv,
                                   read_csv};
