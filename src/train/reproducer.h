/* A step that was not finite, as a config of its own: its samples, the state before it, the same random numbers. */
#ifndef GRADTOOL_TRAIN_REPRODUCER_H
#define GRADTOOL_TRAIN_REPRODUCER_H

#include "train/nonfinite.h"

/* Writes config.json, inputs.npy, targets.npy, weights.safetensors and, where the update is at fault, optimizer.safetensors
 * into the folder, which is made. To be called by the observer that was told. `gradtool train FOLDER/config.json` makes that
 * one step, and is told of the same operation. */
bool reproducer_write(const NonfiniteReport *report, const char *folder, Arena *scratch, Error *err);

#endif
