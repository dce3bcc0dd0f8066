/* Random masks for dropout: a pure function of (seed, step, identity, element), so that recomputation and restarts agree. */
#include "autograd/graph.h"
#include "autograd/ops.h"
#include "base/random.h"

#ifdef KERNEL

Kernel KERNEL(run_dropout_mask);
void KERNEL(run_dropout_mask)(const Node *node, void *out, const void *const in[], const Part *part)
{
    (void)in;
    const double p = node->attributes.k;
    const real keep = (real)(p < 1 ? 1 / (1 - p) : 0);
    const uint32_t limit = p < 1 ? (uint32_t)(p * 4294967296.0) : UINT32_MAX;
    const Random random = random_stream(part->run->seed, RANDOM_DROPOUT, node->attributes.identity);
    real *y = out;
    for (size_t i = 0; i < part->count;) {
        size_t element = part->first + i;
        uint32_t words[4];
        random_block(&random, (part->run->step << 32) + element / 4, words);
        for (size_t lane = element % 4; lane < 4 && i < part->count; lane++)
            y[i++] = words[lane] < limit ? 0 : keep;
    }
}

#else

static Node *mask_example(Node *const x[])
{
    return op_mul(x[0], op_dropout_mask(x[0]->graph, x[0]->shape, 0.5, 7));
}

static const OpExample examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, mask_example}, {0}};

KERNEL_DECLARE(Kernel, run_dropout_mask);

const Op row_dropout_mask = {
    .name = "dropout_mask",
    .help = "0 with probability p, else 1 / (1 - p)",
    .kind = OP_MAP,
    .inputs = 0,
    .whole_input = true,
    .kernel = KERNEL_TABLE(run_dropout_mask),
    .examples = examples,
};

Node *op_dropout_mask(Graph *graph, Shape shape, double p, uint64_t identity)
{
    Node *y = graph_append(graph, &row_dropout_mask, shape, NULL);
    y->precision = PRECISION_ANY;
    y->attributes.k = p;
    y->attributes.identity = identity;
    return y;
}

#endif
