/* A table that grows by a row a step and keeps a bounded number of them.
 *
 * Once all rows are taken, of every two neighbours one is dropped, and from then on only one row in 2, 4, 8, ... is kept. Of
 * rows that compete the one with more values stays, so that what is logged rarely is not lost among rows without it; of equals
 * the first. The very first and the very last row always stay. */
#ifndef GRADTOOL_DIAGNOSE_STEP_TABLE_H
#define GRADTOOL_DIAGNOSE_STEP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct StepTable StepTable;

/* At most `limit` rows (even, at least 4) and the last one. */
StepTable *step_table_new(Arena *arena, int columns, int limit);

/* The row that is being filled, a value a column, all run_missing() at first. A new step ends the row before it. NULL for a
 * step before the last one, and for the last one when it has ended. */
double *step_table_row(StepTable *table, int64_t step);
/* Nothing more is to come for the row that is being filled. */
void step_table_end_row(StepTable *table);

/* Ended rows. The arrays move when rows are added. */
int step_table_count(const StepTable *table);
const int64_t *step_table_steps(const StepTable *table);
const double *step_table_column(const StepTable *table, int column);

#endif
