/* What is known of a run, step by step, in memory that does not grow with its length: the series that rules judge.
 *
 * It is fed by the reader of our own log (record_read) or by that of somebody else's (foreign.h). Scalars are kept for every
 * step up to RECORD_STEPS of them, tensors' numbers for up to RECORD_POINTS observations (fewer where a model has very many
 * tensors); beyond that every second one is dropped, and so on, the first and the last staying (step_table.h). What must not
 * be missed however long the run is (spikes, values that are not finite, skips, clips) is counted as it passes. */
#ifndef GRADTOOL_DIAGNOSE_RECORD_H
#define GRADTOOL_DIAGNOSE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* A gradient below this share of the total norm may be what rounding left of 0 (a bias before a norm layer). */
#define RECORD_ROUNDING 1e-6

enum { RECORD_STEPS = 65536, RECORD_POINTS = 2048, RECORD_WINDOW = 128, RECORD_SPIKES = 64 };

/* One a step. */
typedef enum RecordScalar {
    RECORD_LOSS,
    RECORD_RATE,         /* lr */
    RECORD_GRAD_NORM,    /* total, before clipping, after unscaling */
    RECORD_CLIPPED_NORM, /* after clipping */
    RECORD_SCALE,        /* loss scale of the step */
    RECORD_SKIPPED,      /* 0 or 1 */
    RECORD_SCALARS
} RecordScalar;

/* One a measured step and tensor: the first of a parameter, the others of a layer's output. */
typedef enum RecordTrack {
    RECORD_GRADIENT_NORM,
    RECORD_GRADIENT_STD,
    RECORD_GRADIENT_ZEROS, /* share */
    RECORD_UPDATE_RATIO,
    RECORD_WEIGHT_NORM,
    RECORD_OF_LAYERS,
    RECORD_ACTIVATION_MEAN = RECORD_OF_LAYERS,
    RECORD_ACTIVATION_STD,
    RECORD_ACTIVATION_ZEROS,
    RECORD_ACTIVATION_MAX, /* largest magnitude */
    RECORD_FLOW,           /* rms of dL/d(output) */
    RECORD_FLOW_ZEROS,
    RECORD_TIME_RATIO, /* of recurrent layers, from `time_gradients` events: rms of dL/d(gates) at the first position over the
                          last, delta_rms[0] / delta_rms[n - 1] */
    RECORD_TRACKS
} RecordTrack;

/* value[i] belongs to step[i], and steps rise; run_missing() (monitor/run_line.h) where the log has none; NaN and infinities as
 * logged. All scalars have the same steps, and so have all tracks; one that was never logged is empty. */
typedef struct RecordSeries {
    const int64_t *step;
    const double *value;
    int count;
} RecordSeries;

typedef struct RecordTensor {
    const char *name;
    const char *layer; /* of a parameter: the layer that owns it, "" when unknown */
    const char *type;  /* of a layer; "" when unknown */
    int rank;          /* of a parameter; 0 when unknown */
    int64_t elements;  /* of a parameter; 0 when unknown */
    bool has_gradient; /* of a parameter: ever; of a layer: a gradient ever reached it */
    bool is_mean;      /* foreign scalars that are means, not norms: only for zeros and NaN */
    /* Steps at which it had values that are not finite: gradients of a parameter; outputs, and their gradients, of a layer.
     * Gradients of steps that the loss scaler skipped are left out. first_ is of no meaning where there are none. */
    int64_t nonfinite, first_nonfinite;
    int64_t flow_nonfinite, first_flow_nonfinite;
    /* Of a parameter: measured updates that had reason to change it (a gradient beyond rounding, lr > 0, the step was taken),
     * and those of them whose ratio is exactly 0. */
    int64_t updates, unchanged, first_unchanged;
    /* Of a parameter: all its histograms of gradients added up. count[i] values have floor(log2(abs)) == first + i. */
    int histogram_first, histogram_bins;
    double *histogram;
} RecordTensor;

/* Steps whose value stood out of the RECORD_WINDOW positive ones before it: robust z of log10 above 6 (robust.h). At least half
 * a window must be there; in a run of less than two windows they are half of the run, of 16 values at least. */
typedef struct RecordSpikes {
    int64_t count, first_step, last_step;
    int64_t step[RECORD_SPIKES]; /* the first ones */
    double ratio[RECORD_SPIKES]; /* value over the median of the window */
    double largest_ratio;
} RecordSpikes;

typedef struct RecordScaler {
    int64_t events, skips, longest_skips; /* steps; skipped ones; the longest run of them */
    int64_t first_skip, last_skip;
    int64_t skips_after_warmup; /* that is the first 20 steps, or 2 % of the planned ones where that is more */
    double lowest_scale, last_scale;
    int64_t first_floor; /* step at which the scale was 1 or below; 0: never */
} RecordScaler;

typedef struct RecordClip {
    int64_t events, first_step, last_step; /* steps that were clipped */
    const char *type;                      /* "norm", ...; "" */
    double limit;                          /* smallest `after` of clipped steps, or what the config says; NaN */
} RecordClip;

/* The first `nonfinite` event; step 0: there is none. Texts are "" where the log does not say. */
typedef struct RecordNonfinite {
    int64_t step;
    const char *where, *phase, *kind, *op, *layer, *cause;
    bool inputs_finite;
} RecordNonfinite;

typedef struct RecordEvaluations {
    const int64_t *step;
    const double *loss, *accuracy; /* each may be run_missing() */
    int count;
} RecordEvaluations;

typedef struct RecordStore RecordStore;

typedef struct Record {
    const char *source;  /* path, as the user gave it */
    const char *kind;    /* "gradtool run", "TensorBoard events", "Lightning CSV", ... */
    bool is_foreign;     /* names and meanings come from a tag grammar */
    const char *summary; /* of a foreign log, one line: "read 300 steps, 11 layers from PyTorch events (...)"; else "" */
    const char *warning; /* what of it could not be read: "2 of 4145 records ..."; "" where all could */
    const char *name;    /* of the run */
    const char *loss;    /* type; "" */
    int64_t planned;     /* steps that were to be made; 0: unknown */
    int64_t steps;       /* that are logged */
    int64_t first_step, last_step;
    const char *status; /* of the end event; "" where the log has none: killed, or still running */
    RecordTensor *parameter, *layer;
    int parameters, layers;
    int points; /* observations of tensors that are kept */
    RecordSpikes loss_spikes, norm_spikes;
    int64_t nonfinite_losses, first_nonfinite_loss, nonfinite_norms,
        first_nonfinite_norm;        /* steps the scaler skipped left out */
    int64_t seen_losses, seen_norms; /* steps that have them */
    double initial_loss;             /* of the first step that has one; NaN when none has */
    RecordScaler scaler;
    RecordClip clip;
    RecordNonfinite nonfinite;
    RecordEvaluations evaluation;
    RecordStore *store;
} Record;

/* A run folder's log, to its end; the record lives in the arena. Where steps fall (a run that was resumed by appending), the
 * later ones replace those from there on. A torn last line, or no `end` event, is a normal end. NULL with an error. */
Record *record_read(Arena *arena, const char *folder, Error *err);
/* The same, bit by bit: each call reads what was appended since the last one. The record stays valid until the next call,
 * which may build it anew. */
typedef struct RecordFollower RecordFollower;
RecordFollower *record_follow(Arena *arena, const char *folder, Error *err);
const Record *record_follow_next(RecordFollower *follower, Error *err);

/* For readers of logs. Texts are copied. All that is said of a step comes together, in any order; what is said of a step before
 * the last one is passed over. */
Record *record_new(Arena *arena, const char *source, const char *kind);
/* Before the first value, in the model's order. The pointer is valid until the next one is added. */
RecordTensor *record_add_parameter(Record *record, const char *name);
RecordTensor *record_add_layer(Record *record, const char *name, const char *type);
/* A second value of the same step replaces the first. */
void record_add_scalar(Record *record, RecordScalar scalar, int64_t step, double value);
void record_add_value(Record *record, RecordTrack track, int index, int64_t step, double value);
/* A tensor had values that are not finite: RECORD_GRADIENT_NORM stands for the gradient of a parameter, RECORD_ACTIVATION_MEAN
 * for the output of a layer, RECORD_FLOW for its gradient. */
void record_add_nonfinite(Record *record, RecordTrack of, int index, int64_t step);
void record_add_clip(Record *record, int64_t step, const char *type, double after);
/* `scale` is the one after the step's update. */
void record_add_scaler(Record *record, int64_t step, double scale, bool skipped);
/* Counts of floor(log2(abs(gradient))) of a parameter, the first of them for `first`. */
void record_add_histogram(Record *record, int parameter, int first, const double counts[], int count);
void record_add_evaluation(Record *record, int64_t step, double loss, double accuracy);
/* Nothing more is to come for the last step. To be called before the record is used. */
void record_end(Record *record);

RecordSeries record_scalar(const Record *record, RecordScalar scalar);
RecordSeries record_track(const Record *record, RecordTrack track, int index);
/* Whether any value of the track was ever logged. */
bool record_has(const Record *record, RecordTrack track);

#endif
