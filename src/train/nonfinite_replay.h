/* The replay of an update, one micro-batch after another, until one that gives a value which is not finite. */
#ifndef GRADTOOL_TRAIN_NONFINITE_REPLAY_H
#define GRADTOOL_TRAIN_NONFINITE_REPLAY_H

#include "train/nonfinite.h"
#include "train/trainer_internal.h"

typedef struct Finding {
    const Replay *replay;   /* NULL: nothing was found */
    const StepGraph *graph; /* NULL: a hook on a parameter's gradient */
    int64_t micro;          /* the micro-batch, from 0; -1: their sum */
    int parameter;          /* whose gradient overflowed in the sum; else -1 */
    size_t element;
    double value;
} Finding;

/* Micro-batches to run: samples order[0..count) in batches of batch_size, of which the first draws by `first_draw`. Where `ran`
 * is given there is one batch, whose inputs are those of that graph, which is of a GAN. */
typedef struct Replayed {
    const uint32_t *order;
    int64_t count, batch_size;
    uint64_t first_draw;
    const StepGraph *ran;
} Replayed;

/* Memory is of `arena`. False with an error when it cannot be had. */
bool nonfinite_replay(Trainer *t, const Replayed *what, Finding *finding, Arena *arena, Error *err);
/* Whether both are the same operation of the same layer, gone wrong in the same way. */
bool nonfinite_is_same(const Finding *a, const Finding *b);

#endif
