/* Losses: torch.nn.functional's formulas and names.
 *
 * A loss is built as the sum of its terms times a factor that is an input of the graph: 1 / (terms of the whole group) for
 * reduction "mean", 1 for "sum". So the gradient of a group is that of the mean over all its samples, whatever their batches.
 */
#ifndef GRADTOOL_NN_LOSS_H
#define GRADTOOL_NN_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "autograd/graph.h"
#include "base/error.h"
#include "base/json.h"

typedef struct LossOptions {
    double label_smoothing, delta, beta;
    Json *expr; /* of type expression: the text, in output and target */
    const struct Expression *expression;
} LossOptions;

/* What the data offers as targets. */
typedef struct Targets {
    Shape shape;   /* of one sample */
    int classes;   /* class numbers below this (negative: ignored); 0: numbers */
    bool integers; /* every target is a whole number */
} Targets;

typedef struct Loss Loss;

typedef struct LossType {
    const char *name;
    const char *help;
    const struct Field *fields; /* into LossOptions */
    bool wants_classes;         /* targets are class numbers */
    bool ignores_targets;
    bool is_whole; /* terms() is the whole loss, one number, which stands for a mean over samples */
    bool (*judges)(double output, double target); /* accuracy of a two-class loss; NULL: argmax over classes, or none */
    Node *(*terms)(const LossOptions *options, Node *output, Node *target);
} LossType;

extern const LossType *const loss_table[];
extern const int loss_count;

/* `slot` is the config's "loss": a name or an object, which is replaced by the completed object. */
Loss *loss_read(Arena *arena, Json *slot, Error *err);
const char *loss_name(const Loss *loss);
bool loss_is_sum(const Loss *loss);
/* Whether the model's output (of one sample) and the targets fit; `slot` is where an error is shown. */
bool loss_check(const Loss *loss, Shape output, const Targets *targets, const Json *slot, Arena *scratch, Error *err);

/* Class numbers are below this; 0 where the loss compares numbers. */
int loss_classes(const Loss *loss, Shape output);

typedef struct LossNodes {
    Node *target; /* input [batch, target] */
    Node *factor; /* input, a scalar */
    Node *terms;  /* [batch, ...]: the terms of each sample; NULL where the loss is one number */
    Node *sum;    /* of all terms */
    Node *value;  /* sum * factor: what is differentiated */
} LossNodes;
/* In float32, also where the graph casts to half: so are PyTorch's losses under autocast. */
LossNodes loss_build(const Loss *loss, const Targets *targets, Node *output, int batch);

/* Terms that the targets of a batch contribute to the mean: rows that are not ignored, or elements. */
double loss_terms(const Loss *loss, Shape output, const float *targets, size_t count);
/* How many of the batch's decisions are right, and how many there are (0: the loss has no accuracy). */
double loss_correct(const Loss *loss, Shape output, const float *outputs, const float *targets, size_t count,
                    double *decisions);

#endif
