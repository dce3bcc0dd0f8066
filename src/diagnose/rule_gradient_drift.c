/* Gradients are of another size than in earlier runs of the same training. */
#include <math.h>

#include "diagnose/rule.h"

enum { FEWEST = 5, MEDIAN = 2 }; /* observations without which a median says nothing; its place among the quantiles */

typedef struct Drift {
    const char **layer; /* what has drifted */
    int layers, compared, runs;
    const char *name; /* the one furthest beyond its limit */
    double decades, limit, before;
} Drift;

/* How far a median has moved: without any gradient in a run that was measured, infinitely far down. */
static double moved(const Record *record, const BaselineTensor *now, const BaselineBand *band)
{
    if (now->count >= FEWEST)
        return now->quantile[MEDIAN] - band->median;
    return now->count == 0 && record->points >= FEWEST ? -INFINITY : NAN;
}

static void compare(const RuleInput *in, BaselineTrack track, Drift *drift)
{
    int count;
    Arena *scratch = arena_new(in->arena);
    const BaselineTensor *now = baseline_measure(scratch, in->evidence->record, track, &count);
    BaselineBand *band = ARENA_ARRAY(scratch, BaselineBand, count);
    baseline_expect(in->evidence->baseline, track, now, count, band);
    for (int i = 0; i < count; i++) {
        double decades = moved(in->evidence->record, &now[i], &band[i]);
        double limit = fmax(in->limit[1], (band[i].runs > 1 ? in->limit[0] : in->limit[2]) * band[i].deviation);
        if (!band[i].runs || isnan(decades))
            continue;
        drift->compared++;
        drift->runs = band[i].runs > drift->runs ? band[i].runs : drift->runs;
        if (!(fabs(decades) > limit))
            continue;
        drift->layer[drift->layers++] = now[i].name;
        if (!drift->name || fabs(decades) / limit > fabs(drift->decades) / drift->limit) {
            drift->name = now[i].name;
            drift->decades = decades;
            drift->limit = limit;
            drift->before = pow(10, band[i].median);
        }
    }
    arena_free(scratch);
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!in->evidence->baseline || !record) {
        findings_skip(out, "there is no baseline");
        return;
    }
    Drift drift = {.layer = ARENA_ARRAY(in->arena, const char *, record->parameters + record->layers)};
    compare(in, BASELINE_GRADIENTS, &drift);
    compare(in, BASELINE_FLOW, &drift);
    if (!drift.compared)
        findings_skip(out, "the run and its baseline have no gradients in common");
    if (!drift.layers)
        return;
    Finding *finding = finding_add(
        out, record->first_step, record->last_step, drift.decades, drift.limit,
        "gradients differ from the baseline in %d of %d places: the median of %s is %.2g, not the %.2g of its run%s",
        drift.layers, drift.compared, drift.name, drift.before * pow(10, drift.decades), drift.before,
        drift.runs > 1 ? "s" : "");
    for (int i = 0; i < drift.layers; i++)
        finding_add_layer(out, finding, drift.layer[i]);
}

const Rule rule_gradient_drift = {
    .name = "gradient-drift",
    .severity = SEVERITY_WARNING,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "gradients are of another size than in the baseline",
    .definition =
        "the median over the run of log10 of a parameter's gradient norm, or of the rms of the gradient at a layer's "
        "output, lies further from the median of the baseline's runs than `decades`, and than `deviations` times what "
        "their spread leads to expect; of a baseline of one run, than `steps` times its own deviation over its steps",
    .consequence = "the training is no longer the one that the baseline stands for: another code, data or initialisation",
    .remedy = "compare the two configs and logs; if the change is wanted, write a new baseline with --write-baseline",
    .source = "Smyth 2004, \"Linear models and empirical Bayes methods\", section 3, for the spread of a few runs",
    .false_alarms =
        "runs of another length or batch size differ by right. Over six seeds: of 36 runs of six "
        "configs, each against a baseline of three others, one was flagged; of 210 of seven configs against one run, four",
    .limit = {{"deviations", 6, "between the runs of the baseline, beyond which a median has drifted"},
              {"decades", 0.15, "that a median has to drift at least"},
              {"steps", 2, "deviations over the steps of a baseline of one run"}},
    .check = check,
};
