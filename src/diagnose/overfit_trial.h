/* Can the model learn one small batch by heart? The config's own training on its first samples, without what keeps a model from
 * doing so: weight decay, dropout, label smoothing, penalty, schedule (Karpathy 2019, "A recipe for training neural networks":
 * overfit one batch). Nothing is written. */
#ifndef GRADTOOL_DIAGNOSE_OVERFIT_TRIAL_H
#define GRADTOOL_DIAGNOSE_OVERFIT_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/threads.h"
#include "train/config.h"

typedef struct OverfitTrial {
    int64_t samples, steps;                  /* of the batch; that were made */
    double first_loss, last_loss, best_loss; /* of the batch, as the steps report it; NaN and infinite where it is so */
    double error_rate;                       /* decisions that are wrong at the end; NaN where the loss has no accuracy */
    bool diverged;                           /* training stopped at a value that is not finite */
} OverfitTrial;

/* The first `samples` (> 0) samples of the first epoch's order as one batch, at most `steps` (> 0) steps at the optimizer's own
 * rate from the config's first weights. It stops early once the loss is below 1 % of the first. The data are those that the
 * config holds, which stays as it is. NULL with an error when it cannot be built; NULL without one where it has no meaning: of
 * a GAN, and of losses that have no least value (wasserstein, mean_output). */
OverfitTrial *overfit_trial_new(Arena *arena, const Config *config, int64_t samples, int64_t steps, Threads *threads,
                                Error *err);

#endif
