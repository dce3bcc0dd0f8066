/* The "gan" of a config: two nets, a generator and a critic behind it, that learn in turn.
 *
 * They stand in one Model of two nets. The critic is fed samples of the data and of the generator, whose targets are `real` and
 * `fake`; the generator learns to be taken for real. The targets of the data are not read.
 * Goodfellow et al. 2014, "Generative adversarial nets"; Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN". */
#ifndef GRADTOOL_TRAIN_GAN_CONFIG_H
#define GRADTOOL_TRAIN_GAN_CONFIG_H

#include "train/config.h"

enum { GAN_GENERATOR, GAN_CRITIC, GAN_NETS };

struct Gan {
    int64_t critic_steps; /* updates of the critic before each of the generator */
    float real, fake;
    Optimizer *generator_optimizer; /* the critic's is the config's */
};

/* Reads the object: makes config->gan, model, loss, targets and the optimizers. `optimizer` is the config's, of nets that have
 * none of their own. */
bool gan_read(Arena *arena, Config *config, Json *object, Json *optimizer, Error *err);
/* Whether data and training fit. */
bool gan_check(const Config *config, const Json *root, Arena *scratch, Error *err);

#endif
