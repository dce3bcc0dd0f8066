/* A tap's blocks are PLAN_BLOCK elements; each is measured where it stands in cache. */
#include "autograd/watch.h"

static StatisticsBlock *const measures[VARIANT_COUNT] = KERNEL_TABLE(statistics_block);

static size_t blocks_of(const Node *node)
{
    return (shape_count(node->shape) + PLAN_BLOCK - 1) / PLAN_BLOCK;
}

static void see(void *context, const void *values, size_t first, size_t count)
{
    Watch *watch = context;
    watch->measure(values, count, &watch->block[first / PLAN_BLOCK]);
}

void watch_attach(Watch *watch, Node *node, Variant variant, Arena *arena)
{
    if (!node)
        return;
    watch->measure = measures[variant];
    if (blocks_of(node) > watch->blocks) {
        watch->blocks = blocks_of(node);
        watch->block = ARENA_ARRAY(arena, Statistics, watch->blocks);
    }
    graph_tap(node, see, watch);
}

void watch_begin(Watch *watch)
{
    watch->total = statistics_empty();
    watch->is_present = false;
}

void watch_collect(Watch *watch, const Node *node)
{
    if (!node)
        return;
    watch->is_present = true;
    for (size_t b = 0; b < blocks_of(node); b++)
        statistics_merge(&watch->total, &watch->block[b]);
}
