/* Checkpoints: a training's state between two steps, in a folder that is there whole or not at all.
 *
 *     step-N/model.safetensors       weights and buffers, as a state_dict
 *            optimizer.safetensors   optimizer_state() of the optimizer; of a GAN, of both
 *            state.json              the TrainPoint, the caller's CheckpointNote, size and checksum of the two files and its
 * own
 *
 * Whole numbers stand in state.json as strings: a JSON number holds 53 bits of them. */
#ifndef GRADTOOL_TRAIN_CHECKPOINT_FOLDER_H
#define GRADTOOL_TRAIN_CHECKPOINT_FOLDER_H

#include "train/trainer.h"

/* What the owner of a run wants to know when it goes on. */
typedef struct CheckpointNote {
    int64_t log_bytes; /* of the log that belongs to the steps that were made */
    uint32_t config;   /* checksum of the run's config */
} CheckpointNote;

typedef struct Checkpoint {
    const char *path;
    TrainPoint point;
    CheckpointNote note;
    int64_t samples, batch_size; /* what the point's `micro` counts in */
} Checkpoint;

/* Writes the trainer's state at `point` (trainer_point) as the folder `path`, whose parent must exist; what stands there is
 * replaced. Files and folder are on the disk when it returns. On failure nothing is left behind. */
bool checkpoint_write(const Trainer *trainer, const TrainPoint *point, const char *path, const CheckpointNote *note,
                      Error *err);

/* Reads state.json and compares the files with it. NULL with an error when any of it is missing or damaged. */
const Checkpoint *checkpoint_read(Arena *arena, const char *path, Error *err);
/* Gives weights, buffers, optimizer and place back to a trainer of the same model and optimizer. After an error the trainer is
 * not to be used. */
bool checkpoint_restore(const Checkpoint *checkpoint, Trainer *trainer, Error *err);

/* FOLDER/step-N */
const char *checkpoint_path(Arena *arena, const char *folder, int64_t step);
/* The steps of the checkpoints in a folder, the newest first; *count is 0 where there is no such folder. */
const int64_t *checkpoint_list(Arena *arena, const char *folder, int *count);
/* Removes all but the `keep` newest ones; best effort. */
void checkpoint_prune(Arena *scratch, const char *folder, int64_t keep);

#endif
