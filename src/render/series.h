/* Several values over the steps of a run, folded into a bounded number of columns.
 *
 * The length of a run is not known in advance: a column first holds one observation, and whenever all columns are taken,
 * neighbours are joined. A column keeps the smallest and the largest value, one value as it was, and whether there was a zero
 * or a value that is not finite, so a spike of one step is seen however many steps its column holds. */
#ifndef GRADTOOL_RENDER_SERIES_H
#define GRADTOOL_RENDER_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { SERIES_COLUMNS = 1000 };

typedef enum SeriesState { SERIES_MISSING, SERIES_FINITE, SERIES_ZERO, SERIES_NONFINITE } SeriesState;

typedef struct SeriesCell {
    double low, high; /* of the finite values that are not zero; NaN when there are none */
    double first;     /* the first finite value, zero included; NaN when there is none */
    bool has_zero, has_nonfinite;
} SeriesCell;

typedef struct Series Series;

/* rows >= 0. At most SERIES_COLUMNS columns, fewer when there are so many rows that memory would grow beyond about 50 MB. */
Series *series_new(Arena *arena, int rows);
/* One observation: a value a row, run_missing() where there is none. */
void series_add(Series *series, int64_t step, const double values[]);

int series_rows(const Series *series);
int series_columns(const Series *series);
/* Observations that a full column holds: 1 as long as nothing was joined. */
int64_t series_column_width(const Series *series);
int64_t series_first_step(const Series *series, int column);
int64_t series_last_step(const Series *series, int column);
const SeriesCell *series_cell(const Series *series, int row, int column);

/* What a cell shows where each has one state: what is not finite wins over zero, zero over the rest. */
SeriesState series_state(const SeriesCell *cell);
/* The middle of a row, in log10 of the magnitude, over its finite columns; NaN when there are none. */
double series_row_center(const Series *series, int row);
/* log10 of the magnitude that lies farthest from `center` in this cell; for cells in state SERIES_FINITE. */
double series_extreme(const SeriesCell *cell, double center);

/* For steps, one row is enough of these: whether the last observation of a row was finite, and where that began. */
typedef struct SeriesEnd {
    bool is_nonfinite;    /* the last value that was there is not finite */
    int64_t since;        /* and so were all from this step on */
    int64_t nonfinite;    /* observations that are not finite, in all */
    int64_t observations; /* that are there */
} SeriesEnd;

SeriesEnd series_end(const Series *series, int row);

#endif
