#include "diagnose/step_table.h"

#include <assert.h>
#include <string.h>

#include "monitor/run_line.h"

enum { FIRST_ROWS = 64 };

struct StepTable {
    Arena *arena;
    int columns, limit, capacity; /* rows that there is memory for, without the one for the last */
    int count;                    /* rows that stand for a whole group of `stride` */
    int64_t stride, in_group;     /* steps that the last of them stands for so far */
    bool has_last;                /* row `count` holds the very last step, which its group's row does not */
    bool is_open;
    double *pending;
    int64_t pending_step;
    int64_t *step;
    int *filled;   /* values that are not missing */
    double *value; /* column by column, so that a column is a series */
};

static size_t row_bytes(int capacity, size_t size)
{
    return ((size_t)capacity + 1) * size;
}

static void reserve(StepTable *table, int capacity)
{
    const StepTable old = *table;
    table->capacity = capacity;
    table->step = arena_grow(table->arena, old.step, old.step ? row_bytes(old.capacity, sizeof *old.step) : 0,
                             row_bytes(capacity, sizeof *table->step));
    table->filled = arena_grow(table->arena, old.filled, old.filled ? row_bytes(old.capacity, sizeof *old.filled) : 0,
                               row_bytes(capacity, sizeof *table->filled));
    table->value = arena_alloc(table->arena, row_bytes(capacity, sizeof *table->value) * (size_t)table->columns);
    for (int c = 0; old.value && c < table->columns; c++)
        memcpy(table->value + (size_t)c * ((size_t)capacity + 1), old.value + (size_t)c * ((size_t)old.capacity + 1),
               row_bytes(old.capacity, sizeof *old.value));
}

StepTable *step_table_new(Arena *arena, int columns, int limit)
{
    assert(columns > 0 && limit >= 4 && limit % 2 == 0);
    StepTable *table = ARENA_NEW(arena, StepTable);
    *table = (StepTable){.arena = arena, .columns = columns, .limit = limit, .stride = 1};
    table->pending = ARENA_ARRAY(arena, double, columns);
    reserve(table, limit < FIRST_ROWS ? limit : FIRST_ROWS);
    return table;
}

static double *place(const StepTable *table, int column, int row)
{
    return &table->value[(size_t)column * ((size_t)table->capacity + 1) + (size_t)row];
}

static void put_row(StepTable *table, int row, int filled)
{
    table->step[row] = table->pending_step;
    table->filled[row] = filled;
    for (int c = 0; c < table->columns; c++)
        *place(table, c, row) = table->pending[c];
}

static void fold(StepTable *table)
{
    int half = table->count / 2;
    for (int i = 0; i < half; i++) {
        /* The first row stays whatever its neighbour holds. */
        int kept = i > 0 && table->filled[2 * i + 1] > table->filled[2 * i] ? 2 * i + 1 : 2 * i;
        table->step[i] = table->step[kept];
        table->filled[i] = table->filled[kept];
        for (int c = 0; c < table->columns; c++)
            *place(table, c, i) = *place(table, c, kept);
    }
    table->count = half;
    table->stride *= 2;
    table->in_group = table->stride;
}

static void make_room(StepTable *table)
{
    if (table->count < table->capacity)
        return;
    if (table->capacity < table->limit)
        reserve(table, 2 * table->capacity < table->limit ? 2 * table->capacity : table->limit);
    else
        fold(table);
}

void step_table_end_row(StepTable *table)
{
    if (!table->is_open)
        return;
    table->is_open = false;
    int filled = 0;
    for (int c = 0; c < table->columns; c++)
        filled += !run_is_missing(table->pending[c]);
    if (table->count == 0 || table->in_group == table->stride) {
        make_room(table);
        put_row(table, table->count++, filled);
        table->in_group = 1;
        table->has_last = false;
        return;
    }
    table->in_group++;
    bool stays = table->count > 1 && filled > table->filled[table->count - 1];
    put_row(table, stays ? table->count - 1 : table->count, filled);
    table->has_last = !stays;
}

double *step_table_row(StepTable *table, int64_t step)
{
    bool is_first = table->count == 0 && !table->is_open;
    if (table->is_open && step == table->pending_step)
        return table->pending;
    if (!is_first && step <= table->pending_step)
        return NULL;
    step_table_end_row(table);
    table->is_open = true;
    table->pending_step = step;
    for (int c = 0; c < table->columns; c++)
        table->pending[c] = run_missing();
    return table->pending;
}

int step_table_count(const StepTable *table)
{
    return table->count + table->has_last;
}

const int64_t *step_table_steps(const StepTable *table)
{
    return table->step;
}

const double *step_table_column(const StepTable *table, int column)
{
    return place(table, column, 0);
}
