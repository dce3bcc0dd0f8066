/* The gradient penalty of the Wasserstein GAN: weight * mean((||d output / d input|| - target)^2), by a second differentiation.
 *
 * The derivative is of the summed output; its norm is the 2-norm over a whole sample, with derivative 0 at 0.
 * Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1. */
#ifndef GRADTOOL_TRAIN_PENALTY_H
#define GRADTOOL_TRAIN_PENALTY_H

#include "base/error.h"
#include "base/json.h"
#include "data/dataset.h"
#include "nn/model.h"
#include "train/loss_scale.h"

typedef struct Penalty {
    double weight, target;
    int at; /* PenaltyAt */
} Penalty;
typedef enum PenaltyAt { PENALTY_AT_DATA, PENALTY_AT_INTERPOLATE } PenaltyAt;

/* Reads the config's "penalty"; NULL (or JSON null): *penalty is NULL. */
bool penalty_read(Arena *arena, Json *object, Penalty **penalty, Error *err);
/* Interpolates lie between samples of target +1 and -1: does the data have both, and nothing else? */
bool penalty_check(const Penalty *penalty, const Dataset *data, const Json *slot, Error *err);

typedef struct PenaltyNodes {
    Node *input;    /* of the interpolates [rows, input]; NULL at data */
    Node *factor;   /* input, a scalar: weight / rows of the whole group */
    Node *sum;      /* of (norm - target)^2 over the rows */
    Node *value;    /* sum * factor */
    Node *norm_sum; /* of norm over the rows */
} PenaltyNodes;
/* Rows that a batch adds: its samples, or one pair for every two of them. */
int penalty_rows(const Penalty *penalty, int batch);
/* With a loss scale the inner gradient is scaled, too, and its norm taken after it is divided by the scale in float32. */
PenaltyNodes penalty_build(const Penalty *penalty, const Model *model, const LossScale *scale, const ModelNodes *nodes,
                           int batch);

/* Fills [rows, input] with a * real + (1 - a) * fake, a uniform in [0, 1), of pairs drawn at random from a batch's samples: a
 * pure function of seed and run. Without samples of either kind the others stand in for them. */
void penalty_interpolate(const float *inputs, const float *targets, int batch, size_t size, int rows, uint64_t seed,
                         uint64_t run, float *into);

#endif
