/* Logs of other tools as records: TensorBoard event files (PyTorch, Lightning, TensorFlow), Hugging Face's trainer_state.json,
 * tables of comma-separated text, JSON lines, W&B's offline files, printed lines. What a series means is known by its name
 * (tag_grammar.h). */
#ifndef GRADTOOL_DIAGNOSE_FOREIGN_H
#define GRADTOOL_DIAGNOSE_FOREIGN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "diagnose/record.h"

typedef struct ForeignOptions {
    const char *format;     /* the name of a reader; NULL: known by the file's name and content */
    const char *layers;     /* a file with the names of layers in the model's order: one a line, or the weights (.safetensors,
                               .pt, .npz); NULL: order of appearance, or of the alphabet with numbers in their order */
    const char *const *map; /* "KIND=NAME": the series NAME is of this kind, whatever the grammar says: grad_norm,
                               clipped_norm, loss, lr, val_loss, layer; ends with NULL. May be NULL */
} ForeignOptions;

typedef struct RecordList {
    Record **at;
    int count;
    const char **passed_over; /* runs without gradients, or that cannot be read, beside others that can: path and reason */
    int passed_over_count;
} RecordList;

/* All runs at a path: a file, the folder of a run, or a folder with runs in it (also our own, read by record_read). False with
 * an error when there is none, when none of them has a gradient series, and when none can be read: a log without gradients is
 * never healthy. `options` may be NULL. */
bool foreign_read_all(Arena *arena, const char *path, const ForeignOptions *options, RecordList *list, Error *err);
/* The only one, or of several the one whose folder it is; NULL with an error otherwise. */
Record *foreign_read(Arena *arena, const char *path, const ForeignOptions *options, Error *err);

typedef struct ForeignList {
    const char **path; /* of the runs, each to be read by foreign_read or, of our own, by record_read */
    int count;
    const char **passed_over;
    int passed_over_count;
} ForeignList;

/* The runs that foreign_read_all would read, and why not the others. With several, those of other tools are read once to tell
 * which have gradients. `count` is 0 where there is none. */
ForeignList foreign_list(Arena *arena, const char *path, const ForeignOptions *options);
/* Whether a file is a log of another tool, by its name and first bytes, and not merely text. */
bool foreign_is_log(const char *path);

/* Readers, for lists and help; false behind the last one. */
bool foreign_format(int index, const char **name, const char **help);

#endif
