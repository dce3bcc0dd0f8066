#include "render/series.h"

#include <math.h>
#include <stdlib.h>

#include "monitor/run_line.h"

enum { CELL_LIMIT = 1200000, COLUMNS_AT_LEAST = 64 };

struct Series {
    Arena *arena;
    int rows, limit, columns; /* columns in use */
    int64_t width;            /* observations a column takes */
    int64_t in_last;          /* observations in the last column */
    SeriesCell *cells;        /* column by column, so that one observation stays in one place */
    int64_t *first, *last;
    SeriesEnd *ends;
};

Series *series_new(Arena *arena, int rows)
{
    Series *series = ARENA_NEW(arena, Series);
    series->arena = arena;
    series->rows = rows;
    series->limit = SERIES_COLUMNS;
    while (series->limit > COLUMNS_AT_LEAST && (int64_t)series->limit * rows > CELL_LIMIT)
        series->limit /= 2;
    series->width = 1;
    series->cells = ARENA_ARRAY(arena, SeriesCell, (size_t)series->limit * (size_t)rows + 1);
    series->first = ARENA_ARRAY(arena, int64_t, series->limit);
    series->last = ARENA_ARRAY(arena, int64_t, series->limit);
    series->ends = ARENA_ARRAY(arena, SeriesEnd, rows + 1);
    return series;
}

static SeriesCell *cell_at(const Series *series, int row, int column)
{
    return &series->cells[(size_t)column * (size_t)series->rows + (size_t)row];
}

/* The comparisons are written so that a NaN on the left, that is no value yet, gives way. */
static void take(SeriesCell *cell, double value)
{
    if (!isfinite(value)) {
        cell->has_nonfinite = true;
        return;
    }
    if (isnan(cell->first))
        cell->first = value;
    if (value == 0) {
        cell->has_zero = true;
        return;
    }
    if (!(cell->low <= value))
        cell->low = value;
    if (!(cell->high >= value))
        cell->high = value;
}

static void join(SeriesCell *into, const SeriesCell *from)
{
    into->has_zero |= from->has_zero;
    into->has_nonfinite |= from->has_nonfinite;
    if (isnan(into->first))
        into->first = from->first;
    if (!isnan(from->low) && !(into->low <= from->low))
        into->low = from->low;
    if (!isnan(from->high) && !(into->high >= from->high))
        into->high = from->high;
}

static void fold(Series *series)
{
    int half = (series->columns + 1) / 2;
    for (int column = 0; column < half; column++) {
        int left = 2 * column, right = left + 1;
        bool has_right = right < series->columns;
        for (int row = 0; row < series->rows; row++) {
            SeriesCell cell = *cell_at(series, row, left);
            if (has_right)
                join(&cell, cell_at(series, row, right));
            *cell_at(series, row, column) = cell;
        }
        series->first[column] = series->first[left];
        series->last[column] = series->last[has_right ? right : left];
    }
    /* The limit is even or its halves are, and folding happens when all columns are full: an odd last column stays half full.
     */
    series->in_last = series->columns % 2 ? series->width : 2 * series->width;
    series->columns = half;
    series->width *= 2;
}

static void note_end(SeriesEnd *end, int64_t step, double value)
{
    end->observations++;
    if (isfinite(value)) {
        end->is_nonfinite = false;
        return;
    }
    end->nonfinite++;
    if (!end->is_nonfinite)
        end->since = step;
    end->is_nonfinite = true;
}

void series_add(Series *series, int64_t step, const double values[])
{
    if (series->columns > 0 && series->in_last == series->width && series->columns == series->limit)
        fold(series);
    if (series->columns == 0 || series->in_last == series->width) {
        int column = series->columns++;
        series->in_last = 0;
        series->first[column] = step;
        for (int row = 0; row < series->rows; row++)
            *cell_at(series, row, column) = (SeriesCell){.low = NAN, .high = NAN, .first = NAN};
    }
    int column = series->columns - 1;
    series->last[column] = step;
    series->in_last++;
    for (int row = 0; row < series->rows; row++) {
        if (run_is_missing(values[row]))
            continue;
        take(cell_at(series, row, column), values[row]);
        note_end(&series->ends[row], step, values[row]);
    }
}

int series_rows(const Series *series)
{
    return series->rows;
}

int series_columns(const Series *series)
{
    return series->columns;
}

int64_t series_column_width(const Series *series)
{
    return series->width;
}

int64_t series_first_step(const Series *series, int column)
{
    return series->first[column];
}

int64_t series_last_step(const Series *series, int column)
{
    return series->last[column];
}

const SeriesCell *series_cell(const Series *series, int row, int column)
{
    return cell_at(series, row, column);
}

SeriesEnd series_end(const Series *series, int row)
{
    return series->ends[row];
}

SeriesState series_state(const SeriesCell *cell)
{
    if (cell->has_nonfinite)
        return SERIES_NONFINITE;
    if (cell->has_zero)
        return SERIES_ZERO;
    return isnan(cell->low) ? SERIES_MISSING : SERIES_FINITE;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double low_log(const SeriesCell *cell)
{
    return log10(fmin(fabs(cell->low), fabs(cell->high)));
}

static double high_log(const SeriesCell *cell)
{
    return log10(fmax(fabs(cell->low), fabs(cell->high)));
}

double series_row_center(const Series *series, int row)
{
    Arena *scratch = arena_new(series->arena);
    double *middles = ARENA_ARRAY(scratch, double, series->columns + 1);
    int count = 0;
    for (int column = 0; column < series->columns; column++) {
        const SeriesCell *cell = cell_at(series, row, column);
        if (series_state(cell) == SERIES_FINITE)
            middles[count++] = (low_log(cell) + high_log(cell)) / 2;
    }
    qsort(middles, (size_t)count, sizeof *middles, by_value);
    double center = count > 0 ? middles[count / 2] : (double)NAN;
    arena_free(scratch);
    return center;
}

double series_extreme(const SeriesCell *cell, double center)
{
    double low = low_log(cell), high = high_log(cell);
    return center - low > high - center ? low : high;
}
