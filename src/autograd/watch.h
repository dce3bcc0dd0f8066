/* Statistics of a tensor taken while the plan computes it: a tap that keeps one result for each block.
 *
 * Blocks are merged in order, so the numbers do not depend on threads; runs of one plan after another add up as if their
 * batches were one. */
#ifndef GRADTOOL_AUTOGRAD_WATCH_H
#define GRADTOOL_AUTOGRAD_WATCH_H

#include "autograd/plan.h"
#include "tensor/statistics.h"

typedef struct Watch {
    Statistics *block; /* of each block, of the largest tensor that was attached */
    size_t blocks;
    StatisticsBlock *measure;
    Statistics total; /* since watch_begin */
    bool is_present;  /* something was collected */
} Watch;

/* Taps the node; `node` may be NULL (nothing is watched). Takes memory from `arena`. */
void watch_attach(Watch *watch, Node *node, Variant variant, Arena *arena);
void watch_begin(Watch *watch);
/* After a run of the plan that computed `node`. */
void watch_collect(Watch *watch, const Node *node);

#endif
