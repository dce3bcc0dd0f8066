/* Units that are the same and learn the same. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "nn/layer.h"

static bool is_of_units(const Config *config, const char *layer)
{
    static const char *const types[] = {"linear", "conv2d", "rnn", "lstm", "gru", "attention"};
    for (int i = 0; i < config->model->leaves; i++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++)
            if (!strcmp(layer_path(config->model->leaf[i]), layer) &&
                !strcmp(layer_type_name(config->model->leaf[i]), types[k]))
                return true;
    return false;
}

static void check(const RuleInput *in, Findings *out)
{
    const Probe *probe = in->evidence->initial;
    const Config *config = in->evidence->config;
    Finding *finding = NULL;
    double most = 0;
    for (int i = 0; probe && config && i < probe->parameters; i++) {
        const ProbeParameter *p = &probe->parameter[i];
        /* Units of zeros may have gradients that tell them apart (a zero head); units of one constant have so only by their
         * biases. */
        bool stay_equal = !(p->gradient_norm > 0) || p->weight_norm > 0;
        double share = p->twins > in->limit[0] ? p->twins : stay_equal ? p->equal_rows : 0;
        if (p->is_frozen || !(share > in->limit[0]) || !is_of_units(config, p->layer))
            continue;
        if (!finding)
            finding = finding_add(out, 0, 0, share, in->limit[0], "%s", "");
        finding_add_layer(out, finding, p->name);
        most = share > most ? share : most;
        if (!finding->blame)
            finding->blame = judge_parameter_path(in, p->name);
    }
    if (!finding)
        return;
    finding->value = most;
    finding->message = arena_printf(
        in->arena, "%.0f %% of the units of %s%s begin with the same weights and get the same gradient: they stay one unit",
        100 * most, finding->layers[0],
        finding->layer_count > 1 ? arena_printf(in->arena, " and %d more", finding->layer_count - 1) : "");
    judge_change(in, out, finding, "model.init", "\"default\"");
}

const Rule rule_symmetric_units = {
    .name = "symmetric-units",
    .severity = SEVERITY_ERROR,
    .group = GROUP_INITIALISATION,
    .stage = STAGE_PREFLIGHT,
    .summary = "units of a layer begin equal and learn the same",
    .definition = "with the first weights, more than `share` of the units of a weight matrix have the weights and the gradient "
                  "of another unit, bit for bit; or the same weights that are not 0. Zero heads and "
                  "zero last layers of residual branches, whose units get different gradients, are no finding",
    .consequence = "a layer of n equal units learns no more than one unit",
    .remedy = "random initial weights (init: default, kaiming_normal, xavier_normal); zeros and constants only for biases",
    .source = "Goodfellow, Bengio & Courville 2016, section 8.4; TheDeepChecker (poor_init)",
    .false_alarms = "units that are tied on purpose",
    .limit = {{"share", 0.5, "of units that have a twin"}},
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch", "no-gradient-path", "dead-units", "vanishing-gradient",
                 "exploding-gradient", "activation-scale", "update-ratio-low", "update-ratio-high", "params-unchanged",
                 "wrong-initial-loss", "weight-growth"},
    .check = check,
};
