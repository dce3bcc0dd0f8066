/* The first value of a step that was not finite: what made it, where, out of what, and with which samples.
 *
 * Nothing is watched for it: a step whose loss and gradients are finite costs no more than today's look at them. Where they are
 * not, the step runs once more, node by node (replay.h), from the same batch, weights and random numbers. */
#ifndef GRADTOOL_TRAIN_NONFINITE_H
#define GRADTOOL_TRAIN_NONFINITE_H

#include "autograd/replay.h"
#include "train/config.h"
#include "train/observer.h"

typedef enum NonfinitePhase { NONFINITE_FORWARD, NONFINITE_BACKWARD, NONFINITE_UPDATE } NonfinitePhase;
/* "forward", "backward", "update" */
const char *nonfinite_phase_name(NonfinitePhase phase);

enum { NONFINITE_INPUTS = 2 + OPTIMIZER_MAX_STATES };

/* What the operation was given; of an update: gradient, weight, and the optimizer's states before it. */
typedef struct NonfiniteInput {
    const char *name; /* a parameter, "inputs", "targets", or the operation that made it: "relu in relu1" */
    Shape shape;
    uint64_t nonfinite; /* of its elements */
    double abs_max;     /* of its finite elements */
    bool has_value;
    double value; /* at the element that is told of */
} NonfiniteInput;

/* What of the data the value needs: samples that by themselves give the same one, in a batch of their own. */
typedef struct NonfiniteBatch {
    const uint32_t *order; /* numbers of samples in the training data, `count` of them */
    int64_t count, batch_size, accumulate;
    uint64_t first_draw;
    bool needs_optimizer; /* its state, too */
    int64_t critic_steps; /* of a GAN */
} NonfiniteBatch;

struct NonfiniteReport {
    int64_t step, epoch;
    int64_t micro, of; /* the micro-batch, from 1, of so many */
    NonfinitePhase phase;
    const char *where;     /* the hook, else the layer, else "loss" or "penalty", else the operation */
    const char *layer;     /* NULL: none */
    const char *part;      /* "loss", "penalty", "hook on fc1 (output)"; NULL: a layer's own */
    const char *op;        /* "log"; in a backward pass what the derivative is of; of an update the optimizer: "adam" */
    const char *operation; /* the operation itself: "div" in the derivative of log */
    Shape shape;           /* of the value */
    size_t element;        /* the first that is not finite */
    double value;          /* NaN or an infinity */
    bool inputs_finite;
    bool is_masked;     /* the forward pass hides it, and the backward pass meets it again */
    const char *cause;  /* "log of zero", "overflow", ... (replay_cause, update_blame) */
    const char *detail; /* in numbers; "" for none */
    NonfiniteInput input[NONFINITE_INPUTS];
    int inputs;
    const char *source;    /* what was not finite from the start: "inputs", "targets" or a parameter; NULL: nothing */
    Shape source_shape;    /* without the batch axis where it is data */
    int64_t source_sample; /* -1: none */
    size_t source_element;
    double source_value;
    const char *becomes;     /* what makes a NaN of the infinity: "0 * inf: mul in fc1 (backward)"; NULL: nothing does */
    const char *parameter;   /* of an update: the weight, */
    const char *blame;       /* and what of the formula: "gradient", "second moment", ... */
    const int64_t *sample;   /* numbers of the samples involved, in the training data, */
    const int64_t *position; /* and places in the epoch, from 0 */
    int samples;
    NonfiniteBatch batch;
    const Config *config;
    double lr, scale; /* of that step */
};

/* "the derivative of sqrt in fc1 gives -inf: division by zero" */
const char *nonfinite_sentence(const NonfiniteReport *report, Arena *arena);

typedef struct Trainer Trainer;
/* Is this update told of? Once a step; of the steps that are not finite the first ten are, then number 16, 32, 64, ..., and the
 * one that stops the run. */
bool nonfinite_is_told(Trainer *t, bool stops);
/* An update whose loss or gradients are not finite, or whose hooks stopped it, before weights change. Finds out and tells the
 * observer. */
bool nonfinite_tell(Trainer *t, int64_t micro_batches, const StepReport *report, Error *err);
/* An update that made weights or optimizer state that are not finite, while the state is that after it (update_guard.h). */
bool nonfinite_tell_update(Trainer *t, int64_t micro_batches, const StepReport *report, Error *err);

#endif
