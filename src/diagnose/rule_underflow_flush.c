/* Gradients too small for the number format they are computed in. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

typedef struct Lost {
    double below, total;
} Lost;

/* Of the non-zero elements, those whose magnitude lies below 2^exponent. */
static Lost below(const RecordTensor *p, int exponent)
{
    Lost lost = {0};
    for (int i = 0; i < p->histogram_bins; i++) {
        lost.total += p->histogram[i];
        if (p->histogram_first + i < exponent)
            lost.below += p->histogram[i];
    }
    return lost;
}

/* What float16 has flushed altogether leaves no histogram: parameters whose gradient is exactly 0 in most observations, half of
 * all or more. */
static bool check_zeros(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    Finding *finding = NULL;
    int weights = 0, flushed = 0;
    for (int i = 0; i < record->parameters; i++) {
        const RecordSeries norm = record_track(record, RECORD_GRADIENT_NORM, i);
        weights += record->parameter[i].has_gradient;
        if (record->parameter[i].has_gradient && series_finite(norm) > 2 && series_median(norm) == 0)
            flushed++;
    }
    for (int i = 0; i < record->parameters && 2 * flushed >= weights && flushed; i++) {
        if (!record->parameter[i].has_gradient || series_median(record_track(record, RECORD_GRADIENT_NORM, i)) != 0)
            continue;
        if (!finding)
            finding = finding_add(out, 0, record->last_step, (double)flushed / weights, 0.5,
                                  "in float16 the gradients of %d of %d parameters are exactly 0 in most steps: below 2^-24 "
                                  "after scaling everything is lost",
                                  flushed, weights);
        finding_add_layer(out, finding, record->parameter[i].name);
    }
    if (finding) {
        finding->blame = "precision";
        finding->remedy = "bfloat16, whose range is float32's, or a loss of larger scale";
        judge_change(in, out, finding, "precision.type", "\"bfloat16\"");
    }
    return finding != NULL;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const Config *config = in->evidence->config;
    if (!record || !config)
        return;
    const Json *precision = json_member(config->json, "precision"), *type = json_member(precision, "type");
    bool is_half = type && type->type == JSON_STRING && !strcmp(type->string, "float16");
    if (is_half && check_zeros(in, out))
        return;
    double scale = series_median(record_scalar(record, RECORD_SCALE));
    /* In float16 what was below 2^-24 after scaling is already 0: what stands just above it, subnormal, tells of it. */
    int exponent = is_half ? -14 - (int)floor(log2(scale >= 1 ? scale : 1)) : -126;
    double limit = is_half ? in->limit[0] : in->limit[1], worst = 0;
    Finding *finding = NULL;
    for (int i = 0; i < record->parameters; i++) {
        Lost lost = below(&record->parameter[i], exponent);
        double share = lost.total > 0 ? lost.below / lost.total : 0;
        if (share <= limit || lost.total < 100)
            continue;
        if (!finding)
            finding =
                finding_add(out, is_half ? record->first_step : record->last_step, record->last_step, share, limit, "%s", "");
        finding_add_layer(out, finding, record->parameter[i].name);
        if (share > worst) {
            worst = share;
            finding->value = share;
            finding->message = arena_printf(
                in->arena, "%.0f %% of the non-zero gradient elements of %s lie %s", 100 * share, record->parameter[i].name,
                is_half ? "below 2^-14 after scaling, where float16 loses digits and then everything"
                        : "below 2^-126, where float32 loses digits");
        }
    }
    if (!finding)
        return;
    finding->blame = is_half ? "precision" : "loss";
    if (is_half)
        finding->remedy = "a larger precision.scaler.init_scale (gradtool inspect RUN --precision names the best power of "
                          "two), or bfloat16, whose range is float32's";
}

const Rule rule_underflow_flush = {
    .name = "underflow-flush",
    .severity = SEVERITY_WARNING,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "gradient elements are too small for their number format",
    .definition = "from the exponent histograms of all observations: in float16, the share of a parameter's non-zero gradient "
                  "elements that after scaling lie below 2^-14, the smallest normal number, above `half` (those below 2^-24 "
                  "have become zeros); in float32 and bfloat16 the share below 2^-126 above `single`",
    .consequence = "these weights learn from a rounded gradient, and soon from none",
    .remedy = "bring the loss to a scale of 1; norm layers or residual connections where a gradient vanishes",
    .source = "Micikevicius et al. 2018, section 3.2",
    .false_alarms = "sparse gradients: zeros do not count; in float32 such gradients are what a vanishing gradient or dead "
                    "units leave: a sign at the end, not a cause",
    .limit = {{"half", 0.5, "share of subnormal elements in float16"},
              {"single", 0.01, "share of subnormal elements in float32"}},
    .explains = {"update-ratio-low", "plateau", "stuck-at-chance", "no-gradient-path", "params-unchanged"},
    .check = check,
};
