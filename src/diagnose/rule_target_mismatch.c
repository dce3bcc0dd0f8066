/* The output cannot be what the targets are, or the loss does again what the last layer has done. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"

typedef struct Bounds {
    const char *type;
    double low, high;
} Bounds;

static const Bounds bounds[] = {
    {"sigmoid", 0, 1},         {"softmax", 0, 1},     {"tanh", -1, 1},
    {"hardtanh", -1, 1},       {"relu", 0, INFINITY}, {"log_softmax", -INFINITY, 0},
    {"softplus", 0, INFINITY},
};

static const Bounds *bounds_of(const char *type)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (!strcmp(bounds[i].type, type))
            return &bounds[i];
    return NULL;
}

/* The last layer that changes numbers: shapes and dropout are passed over. */
static const Layer *last_layer(const Model *model)
{
    static const char *const passive[] = {"flatten", "reshape", "transpose", "last", "dropout", "detach"};
    for (int i = model->leaves - 1; i >= 0; i--) {
        bool is_passive = false;
        for (size_t k = 0; k < sizeof passive / sizeof *passive; k++)
            is_passive |= !strcmp(layer_type_name(model->leaf[i]), passive[k]);
        if (!is_passive)
            return model->leaf[i];
    }
    return NULL;
}

static Finding *blame_layer(const RuleInput *in, Findings *out, const Layer *layer, double value, double threshold,
                            const char *message)
{
    Finding *finding = finding_add(out, 0, 0, value, threshold, "%s", message);
    finding_add_layer(out, finding, layer_path(layer));
    finding->blame = judge_layer_path(in, layer_path(layer));
    if (finding->blame)
        judge_change(in, out, finding, finding->blame, "null");
    return finding;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* A loss that takes logits behind a layer that has made them something else. */
static void check_logits(const RuleInput *in, Findings *out, const char *loss, const Layer *last)
{
    const char *type = layer_type_name(last);
    bool is_cross = !strcmp(loss, "cross_entropy"), is_binary = !strcmp(loss, "bce_with_logits");
    if (is_cross && is_one_of(type, "softmax", "sigmoid", "tanh"))
        blame_layer(
            in, out, last, 1, 0,
            arena_printf(in->arena,
                         "cross_entropy takes logits and applies log_softmax itself, but the last layer is %s: remove it",
                         type));
    else if (is_binary && (is_one_of(type, "sigmoid", "softmax", "log_softmax") || !strcmp(type, "tanh")))
        blame_layer(
            in, out, last, 1, 0,
            arena_printf(in->arena,
                         "bce_with_logits takes logits and applies the sigmoid itself, but the last layer is %s: remove it",
                         type));
    else if ((is_cross || is_binary) && !strcmp(type, "relu"))
        blame_layer(
            in, out, last, 1, 0,
            arena_printf(
                in->arena,
                "%s takes logits of both signs, but the last layer is relu, whose dead outputs never learn again: remove it",
                loss));
}

static bool compares_numbers(const char *loss)
{
    return !strcmp(loss, "mse") || is_one_of(loss, "l1", "huber", "smooth_l1");
}

static void check_range(const RuleInput *in, Findings *out, const char *loss, const Layer *last)
{
    const DataFacts *data = in->evidence->data;
    const Bounds *range = bounds_of(layer_type_name(last));
    double slack = in->limit[0] * (data->target_max - data->target_min);
    if (!compares_numbers(loss) || !range ||
        (data->target_min >= range->low - slack && data->target_max <= range->high + slack))
        return;
    double beyond = data->target_max > range->high + slack ? data->target_max : data->target_min;
    blame_layer(in, out, last, beyond, beyond > range->high ? range->high : range->low,
                arena_printf(in->arena,
                             "targets go from %.3g to %.3g, but the last layer is %s, whose output stays within [%g, %g]",
                             data->target_min, data->target_max, layer_type_name(last), range->low, range->high));
}

static void check_targets(const RuleInput *in, Findings *out, const char *loss)
{
    const Config *config = in->evidence->config;
    const DataFacts *data = in->evidence->data;
    size_t outputs = shape_count(config->model->output);
    Finding *finding = NULL;
    if (compares_numbers(loss) && config->data.training.target_classes > 2 && outputs == 1)
        finding = finding_add(out, 0, 0, config->data.training.target_classes, 2,
                              "%s compares one output with class numbers 0 to %d, as if class 2 lay between 1 and 3", loss,
                              config->data.training.target_classes - 1);
    else if (!strcmp(loss, "bce_with_logits") && (data->target_min < 0 || data->target_max > 1))
        finding = finding_add(
            out, 0, 0, data->target_min < 0 ? data->target_min : data->target_max, data->target_min < 0 ? 0 : 1,
            "bce_with_logits needs targets in [0, 1], these go from %.3g to %.3g", data->target_min, data->target_max);
    if (!finding)
        return;
    finding->blame = "loss";
    if (compares_numbers(loss))
        finding->remedy = arena_printf(in->arena, "cross_entropy with %d outputs", config->data.training.target_classes);
}

static void check(const RuleInput *in, Findings *out)
{
    const Config *config = in->evidence->config;
    const Layer *last = config && !config->gan ? last_layer(config->model) : NULL;
    if (!last || !in->evidence->data)
        return;
    const char *loss = loss_name(config->loss);
    check_logits(in, out, loss, last);
    check_range(in, out, loss, last);
    check_targets(in, out, loss);
}

const Rule rule_target_mismatch = {
    .name = "target-mismatch",
    .severity = SEVERITY_ERROR,
    .group = GROUP_DATA,
    .stage = STAGE_STATIC,
    .summary = "output layer, loss and targets do not go together",
    .definition =
        "softmax, sigmoid or tanh before cross_entropy; sigmoid, softmax or tanh before bce_with_logits; relu before either; "
        "targets outside of the range of the last activation under mse and its like; mse of one output with class numbers; "
        "bce_with_logits with targets outside of [0, 1]. log_softmax before cross_entropy is idempotent and allowed",
    .consequence = "the loss cannot come near its minimum, whatever is learned; no curve shows why",
    .remedy = "remove the layer that is named, or give the loss what it takes",
    .source = "Wardat et al. 2022 (DeepDiagnosis); Schoop et al. 2021 (UMLAUT); Nikanjam et al. 2021 (NeuraLint)",
    .false_alarms = "label smoothing by hand may leave targets a little outside of a range: `slack`",
    .limit = {{"slack", 0.02, "share of the targets' range by which they may lie outside of the activation's"}},
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch", "wrong-initial-loss", "dead-units", "saturated-units",
                 "vanishing-gradient", "exploding-gradient", "loss-oscillation", "update-ratio-low", "gradient-norm-growth",
                 "no-gradient-path", "overfit", "weight-growth", "class-imbalance"},
    .check = check,
};
