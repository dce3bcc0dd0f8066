/* Inputs that are far from zero mean and unit deviation. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"

static bool is_normalised_by_model(const Config *config)
{
    for (int i = 0; i < config->model->leaves; i++) {
        const char *type = layer_type_name(config->model->leaf[i]);
        if (!strcmp(type, "flatten") || !strcmp(type, "reshape"))
            continue;
        return !strcmp(type, "batchnorm") || !strcmp(type, "layernorm") || !strcmp(type, "rmsnorm") ||
               !strcmp(type, "groupnorm");
    }
    return false;
}

static void check(const RuleInput *in, Findings *out)
{
    const DataFacts *data = in->evidence->data;
    const Config *config = in->evidence->config;
    if (!data || !config || config->data.training.tokens || config->gan || is_normalised_by_model(config))
        return;
    double low = in->limit[0], high = in->limit[1], rms = data->rms_nonzero;
    Finding *finding = NULL;
    if (isfinite(rms) && rms > 0 && (rms < low || rms > high))
        finding = finding_add(out, 0, 0, rms, rms < low ? low : high,
                              "the inputs' root mean square (zeros left out) is %.3g, outside of [%g, %g]", rms, low, high);
    else if (data->shifted_features > in->limit[2] && data->max_abs > in->limit[3])
        finding =
            finding_add(out, 0, 0, data->shifted_features, in->limit[2],
                        "in %.0f %% of the features the mean lies more than 3 deviations from 0", 100 * data->shifted_features);
    else if (data->feature_spread > in->limit[4] && data->max_abs > in->limit[3])
        finding = finding_add(out, 0, 0, data->feature_spread, in->limit[4],
                              "the deviations of the features differ by a factor of %.2g", data->feature_spread);
    else if (rms > 0 && data->max_abs > in->limit[5] * rms)
        finding = finding_add(out, 0, 0, data->max_abs / rms, in->limit[5],
                              "the largest input is %.3g, %.2g times the root mean square: outliers", data->max_abs,
                              data->max_abs / rms);
    if (!finding)
        return;
    finding->blame = "data";
    judge_change(in, out, finding, "data.normalize", "\"standard\"");
}

const Rule rule_input_scale = {
    .name = "input-scale",
    .severity = SEVERITY_WARNING,
    .group = GROUP_DATA,
    .stage = STAGE_STATIC,
    .summary = "the inputs are far from zero mean and unit deviation",
    .definition = "the root mean square of all inputs that are not 0 lies outside of [`low`, `high`]; or the mean of more than "
                  "`shifted` of the features "
                  "lies more than 3 deviations from 0 while some input is beyond `unit`; or the features' deviations differ by "
                  "more than `spread`. Not for tokens, nor "
                  "where the model begins with a norm layer",
    .consequence = "first-layer gradients scale with the inputs: large ones saturate or kill units and force a tiny learning "
                   "rate, small ones "
                   "learn slowly",
    .remedy = "data.normalize: \"standard\"",
    .source = "LeCun et al. 1998, Efficient BackProp, section 4.3; SageMaker Debugger NotNormalizedData; UMLAUT",
    .false_alarms = "one-hot and counts: zeros are left out; min-max features with little spread: only beyond `unit`; all-zero "
                    "columns are left out",
    .limit = {{"low", 0.1, "smallest root mean square"},
              {"high", 10, "largest root mean square"},
              {"shifted", 0.25, "share of features that are far from 0"},
              {"unit", 3, "inputs within this are taken as scaled by the user"},
              {"spread", 1000, "largest deviation of a feature over the smallest"},
              {"outlier", 10, "largest input over the root mean square"}},
    .explains = {"saturated-units", "dead-units", "activation-scale", "wrong-initial-loss", "exploding-gradient",
                 "vanishing-gradient", "update-ratio-high", "loss-divergence", "loss-oscillation", "gradient-spikes",
                 "loss-spike", "stuck-at-chance", "plateau", "nonfinite-forward", "gradient-norm-growth",
                 "cannot-overfit-batch"},
    .check = check,
};
