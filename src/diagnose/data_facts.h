/* What can be said of the training samples without training: two passes over them, and one over batches of the first epoch.
 * Numbers that are not finite are counted and otherwise left out. */
#ifndef GRADTOOL_DIAGNOSE_DATA_FACTS_H
#define GRADTOOL_DIAGNOSE_DATA_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "train/config.h"

typedef struct NonfiniteCell {
    size_t sample, element; /* of the training samples, from 0; of the sample's input or target */
    bool in_target;
    double value;
} NonfiniteCell;

typedef struct DataFacts {
    size_t samples, features; /* numbers of one input */
    bool is_tokens;           /* then nothing is said of the inputs' scale */
    size_t nonfinite;         /* numbers that are NaN or infinite, inputs and targets */
    NonfiniteCell first_nonfinite;
    double rms, rms_nonzero, max_abs, zeros; /* of all inputs; `zeros` is a share */
    double min, max;
    double shifted_features;  /* share of the features that vary whose |mean| > 3 deviations */
    double constant_features; /* share of all without any spread, all-zero ones left out */
    double zero_features;     /* share of all that is always 0 */
    double feature_spread;    /* largest over smallest deviation of features that vary; 1 where fewer than two do */
    /* Targets that the loss takes as class numbers, those that are ignored left out; and targets 0 and 1 of bce_with_logits
     * where a sample has one. Not of GANs, which do not read targets. */
    int classes;                          /* of the model's output; 0: targets are numbers */
    size_t *class_count;                  /* [classes] */
    size_t largest_class, smallest_class; /* counts; of classes that occur */
    double entropy;                       /* of the class prior, nats: the loss at chance level */
    double normalised_entropy;            /* over ln(classes) */
    /* Micro-batches as the config draws them in the first epoch, the first 512; of class targets, NaN of others. */
    double batch_entropy;           /* mean entropy of the classes within a batch, nats */
    double shuffled_batch_entropy;  /* what to expect of a random order: the mean over 16 random permutations (fixed seed) */
    double batch_entropy_deviation; /* its deviation over those permutations */
    /* All targets as numbers, class numbers too, those that are ignored left out. */
    double target_mean, target_min, target_max;
    double target_variance; /* mean over the numbers of one target of their variance: the mse of the best constant output */
    bool targets_are_integers;
} DataFacts;

/* Never fails: counts of what does not apply are 0, numbers NaN. */
DataFacts *data_facts_new(Arena *arena, const Config *config);

#endif
