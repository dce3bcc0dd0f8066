/* What can be said of a data set without a model. One pass over the samples and one over the batches of the first epoch. */
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
    double shifted_features;  /* share of features with |mean| > 3 deviations, constant ones left out */
    double constant_features; /* share without any spread, all-zero ones left out */
    double zero_features;     /* share that is always 0 */
    double feature_spread;    /* largest over smallest deviation of features that vary; 1 for one feature */
    /* Class targets. */
    int classes;                          /* that occur, or that the loss expects where more; 0: targets are numbers */
    size_t *class_count;                  /* [classes] */
    size_t largest_class, smallest_class; /* counts; of classes that occur */
    double entropy;                       /* of the class prior, nats: the loss at chance level */
    double normalised_entropy;            /* over ln(classes) */
    /* Batches as the config draws them in the first epoch, of class targets. */
    double batch_entropy;           /* mean entropy of the classes within a batch, nats */
    double shuffled_batch_entropy;  /* what to expect of a random order: the mean over random permutations (fixed seed) */
    double batch_entropy_deviation; /* its deviation over those permutations */
    /* Targets that are numbers. */
    double target_mean, target_variance, target_min, target_max;
    bool targets_are_integers;
} DataFacts;

/* Never fails: what does not apply is 0 or NaN. */
DataFacts *data_facts_new(Arena *arena, const Config *config);

#endif
