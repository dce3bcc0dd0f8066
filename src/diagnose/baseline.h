/* What earlier runs were like: findings that are known, and how large gradients used to be.
 *
 * A new run is compared with it in two ways. Findings that the baseline has too are known and do not count. And the median of
 * log10 of each parameter's gradient norm, and of each layer's flow, is compared with those of the baseline's runs: what lies
 * beyond the spread of their seeds has drifted (rule gradient-drift). Kept as a file of JSON, or made from runs. */
#ifndef GRADTOOL_DIAGNOSE_BASELINE_H
#define GRADTOOL_DIAGNOSE_BASELINE_H

#include "base/error.h"
#include "diagnose/finding.h"
#include "diagnose/record.h"

typedef struct BaselineFinding {
    const char *rule, *place, *fingerprint; /* place: Finding.blame, "" for none */
    Severity severity;
    const char **layers;
    int layer_count;
} BaselineFinding;

/* Of log10 of the values of one track of one tensor over a run, those that are 0 or not finite left out. */
enum { BASELINE_QUANTILES = 5 };
extern const double baseline_shares[BASELINE_QUANTILES]; /* 5, 25, 50, 75 and 95 % */
typedef struct BaselineTensor {
    const char *name;
    int count;                           /* of values */
    double quantile[BASELINE_QUANTILES]; /* decades */
    double deviation;                    /* 1.4826 MAD, decades */
} BaselineTensor;

typedef enum BaselineTrack { BASELINE_GRADIENTS, BASELINE_FLOW, BASELINE_TRACKS } BaselineTrack;

typedef struct BaselineRun {
    const char *name;
    int64_t steps;
    BaselineFinding *finding;
    int findings;
    BaselineTensor *tensor[BASELINE_TRACKS]; /* parameters by gradient norm, layers by rms of the gradient of their output */
    int tensors[BASELINE_TRACKS];
} BaselineRun;

typedef struct Baseline {
    Arena *arena;
    BaselineRun *run;
    int runs, capacity;
} Baseline;

Baseline *baseline_new(Arena *arena);
/* Room for one more run, to be filled. */
BaselineRun *baseline_next_run(Baseline *baseline);
/* A run that was diagnosed; `record` may be NULL. Names are copied. */
void baseline_add_run(Baseline *baseline, const char *name, Finding *const findings[], int count, const Record *record);
/* The runs of a file that baseline_document made. */
bool baseline_read(Baseline *baseline, const char *path, Error *err);
Json *baseline_document(Arena *arena, const Baseline *baseline);

/* Whether a run of the baseline (NULL: there is none) has the finding: the same rule, at the same place, as grave, with all of
 * its layers or more. */
bool baseline_knows(const Baseline *baseline, const Finding *finding);

/* The numbers of one track, by the record's tensors: [record->parameters or record->layers]. */
BaselineTensor *baseline_measure(Arena *arena, const Record *record, BaselineTrack track, int *count);

/* What to expect of a new run's median. */
typedef struct BaselineBand {
    double median;    /* of the medians of the baseline's runs, decades */
    double deviation; /* to expect of a new run's median, decades */
    int runs;         /* that have the tensor */
} BaselineBand;
/* One band for each of `count` tensors, runs 0 where the baseline has not got it.
 *
 * From two runs on the deviation is that between runs, sqrt(1 + 1/runs) times, each tensor's own variance drawn towards that of
 * all tensors with the weight of BASELINE_PRIOR runs (Smyth 2004, "Linear models and empirical Bayes methods", section 3). Of
 * one run it is its own deviation over its steps. */
enum { BASELINE_PRIOR = 4 };
void baseline_expect(const Baseline *baseline, BaselineTrack track, const BaselineTensor tensors[], int count,
                     BaselineBand bands[]);

#endif
