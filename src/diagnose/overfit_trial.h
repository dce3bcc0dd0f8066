/* Can the model learn one small batch by heart? The config's own training on its first samples, without weight decay, dropout
 * and augmentation (Karpathy 2019, "A recipe for training neural networks": overfit one batch). Nothing is written. */
#ifndef GRADTOOL_DIAGNOSE_OVERFIT_TRIAL_H
#define GRADTOOL_DIAGNOSE_OVERFIT_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/threads.h"
#include "train/config.h"

typedef struct OverfitTrial {
    int64_t samples, steps;
    double first_loss, last_loss, best_loss; /* of the batch */
    double error_rate;                       /* decisions that are wrong at the end; NaN where the loss has no accuracy */
    bool diverged;
} OverfitTrial;

/* `samples` first samples of the first epoch's order, `steps` steps at a constant rate. It stops early once the loss is below 1
 * % of the first. NULL with an error when it cannot be built; NULL without one where it has no meaning (GAN). */
OverfitTrial *overfit_trial_new(Arena *arena, const Config *config, int64_t samples, int64_t steps, Threads *threads,
                                Error *err);

#endif
