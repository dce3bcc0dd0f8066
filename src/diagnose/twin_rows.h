/* Units that are copies of each other: rows of a weight that are equal, and rows that get the same gradient, too. */
#ifndef GRADTOOL_DIAGNOSE_TWIN_ROWS_H
#define GRADTOOL_DIAGNOSE_TWIN_ROWS_H

#include <stddef.h>

#include "base/arena.h"

typedef struct TwinRows {
    double equal; /* share of rows whose weights equal those of another, bit for bit */
    double twins; /* share of rows for which the gradients agree with that row's as well, to 1e-5 of their norm, and are not 0;
                     NaN without gradients */
} TwinRows;

/* Of [rows, width]; `gradient` may be NULL. */
TwinRows twin_rows_find(const float *weight, const float *gradient, size_t rows, size_t width, Arena *scratch);

#endif
