/* Steps of a GAN: some updates of the critic, then one of the generator.
 *
 * The critic's batch is one of real samples, the next of the data, and as many of the generator, which is not differentiated:
 * one pass of the critic over both. Its loss is mean(D(fake)) - mean(D(real)), or the cross entropies' sum; the generator's is
 * -mean(D(G(z))), or the cross entropy with real as target, through the critic, which stays as it is.
 *
 * Each update is hooked, clipped and measured as a model's is. Where a step has several of a net, the last one is reported: the
 * loss is that of the critic's last update, the gradients of each net those of its last, and norms are over both. */
#ifndef GRADTOOL_TRAIN_GAN_H
#define GRADTOOL_TRAIN_GAN_H

#include "base/error.h"
#include "train/trainer.h"

/* Takes memory and builds the graphs of a trainer whose config has a GAN. */
bool gan_prepare(Trainer *t, Error *err);
TrainStatus gan_make_step(Trainer *t, Error *err);

#endif
