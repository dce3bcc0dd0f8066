/* The losses: terms of output and target, element by element or row by row. */
#include "autograd/expression.h"
#include "autograd/ops.h"
#include "base/fields.h"
#include "nn/loss.h"

static const Field no_fields[] = {{0}};

/* Class scores stand on the last axis; of images [batch, classes, height, width] on axis 1, which moves to the end. */
static Node *cross_entropy_terms(const LossOptions *options, Node *output, Node *target)
{
    Shape s = output->shape;
    if (s.rank == 4) {
        Node *flat = op_reshape(output, SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]));
        output = op_transpose(flat, 1, 2);
        target = op_reshape(target, SHAPE(s.dim[0], s.dim[2] * s.dim[3]));
    }
    return op_cross_entropy(output, target, options->label_smoothing);
}

static Node *mse_terms(const LossOptions *options, Node *output, Node *target)
{
    (void)options;
    return op_square(op_sub(output, target));
}

static Node *l1_terms(const LossOptions *options, Node *output, Node *target)
{
    (void)options;
    return op_abs(op_sub(output, target));
}

static Node *huber_terms(const LossOptions *options, Node *output, Node *target)
{
    return op_huber(op_sub(output, target), options->delta);
}

/* smooth_l1 is huber divided by beta; with beta 0 it is l1. */
static Node *smooth_l1_terms(const LossOptions *options, Node *output, Node *target)
{
    Node *difference = op_sub(output, target);
    return options->beta > 0 ? op_scale(op_huber(difference, options->beta), 1 / options->beta) : op_abs(difference);
}

/* (1 - t) x + log(1 + e^-x): no cancellation for large |x|. */
static Node *bce_terms(const LossOptions *options, Node *output, Node *target)
{
    (void)options;
    return op_add(op_mul(op_one_minus(target), output), op_log1p_exp(op_neg(output)));
}

static bool bce_judges(double output, double target)
{
    return (output > 0) == (target > 0.5);
}

static Node *wasserstein_terms(const LossOptions *options, Node *output, Node *target)
{
    (void)options;
    return op_neg(op_mul(target, output));
}

static Node *mean_output_terms(const LossOptions *options, Node *output, Node *target)
{
    (void)options, (void)target;
    return output;
}

static const Field cross_entropy_fields[] = {{"label_smoothing", FIELD_NUMBER, offsetof(LossOptions, label_smoothing), "0",
                                              .limit = FIELD_FRACTION, .help = "share of the target spread over all classes"},
                                             {0}};
static const Field huber_fields[] = {{"delta", FIELD_NUMBER, offsetof(LossOptions, delta), "1", .limit = FIELD_POSITIVE,
                                      .help = "where the square turns into a line"},
                                     {0}};
static const Field smooth_l1_fields[] = {{"beta", FIELD_NUMBER, offsetof(LossOptions, beta), "1", .limit = FIELD_NOT_NEGATIVE,
                                          .help = "where the square turns into a line"},
                                         {0}};

/* The value of the user's expression; nodes cannot report its errors, the graph does. */
static Node *expression_terms(const LossOptions *options, Node *output, Node *target)
{
    static const char *const names[] = {"output", "target"};
    Node *const nodes[] = {output, target};
    Error *err = error_new(output->graph->arena);
    Node *y = expression_build(options->expression, output->graph, &(Scope){.names = names, .nodes = nodes, .count = 2}, err);
    if (!y)
        return graph_fail(output->graph, "loss: %s", error_message(err, 0));
    return op_reshape(y, SHAPE_SCALAR);
}

static const Field expression_fields[] = {
    {"expr", FIELD_JSON, offsetof(LossOptions, expr), .required = true, .help = "one number, in output and target"}, {0}};

#define ROW(word, text, option_fields, ...)                                                                                    \
    extern const LossType loss_##word;                                                                                         \
    const LossType loss_##word = {.name = #word, .help = text, .fields = option_fields, __VA_ARGS__};

ROW(cross_entropy, "softmax of the output against class numbers", cross_entropy_fields, .wants_classes = true,
    .terms = cross_entropy_terms)
ROW(mse, "squared difference", no_fields, .terms = mse_terms)
ROW(l1, "absolute difference", no_fields, .terms = l1_terms)
ROW(huber, "squared near zero, linear beyond delta", huber_fields, .terms = huber_terms)
ROW(smooth_l1, "huber divided by beta", smooth_l1_fields, .terms = smooth_l1_terms)
ROW(bce_with_logits, "sigmoid of the output against probabilities", no_fields, .judges = bce_judges, .terms = bce_terms)
ROW(wasserstein, "-target * output, targets +1 and -1", no_fields, .terms = wasserstein_terms)
ROW(mean_output, "the output itself", no_fields, .ignores_targets = true, .terms = mean_output_terms)
ROW(expression, "an expression in output and target: {\"expr\": \"mean((output - target)^2)\"}", expression_fields,
    .is_whole = true, .terms = expression_terms)
