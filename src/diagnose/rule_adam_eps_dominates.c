/* Gradients so small that Adam divides by eps. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* The share of a parameter's non-zero gradient elements below `limit`, by their histograms; where there are none, 1 or 0 by the
 * root mean square. */
static double share_below(const Record *record, int index, double limit)
{
    const RecordTensor *p = &record->parameter[index];
    double below = 0, total = 0;
    int exponent = (int)floor(log2(limit));
    for (int i = 0; i < p->histogram_bins; i++) {
        total += p->histogram[i];
        below += p->histogram_first + i < exponent ? p->histogram[i] : 0;
    }
    if (total > 0)
        return below / total;
    double norm = series_median(record_track(record, RECORD_GRADIENT_NORM, index));
    return p->elements && norm > 0 && norm / sqrt((double)p->elements) < limit ? 1 : 0;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const char *type = judge_optimizer(in);
    double eps = judge_number(in, "optimizer.eps");
    bool divides = !strcmp(type, "adam") || !strcmp(type, "adamw") || !strcmp(type, "rmsprop");
    if (!record || !divides || !(eps > 0) || judge_progress(in) > 0.5)
        return;
    Finding *finding = NULL;
    int tensors = 0, dominated = 0;
    for (int i = 0; i < record->parameters; i++) {
        if (record->parameter[i].rank < 2 || !record->parameter[i].has_gradient)
            continue;
        tensors++;
        double share = share_below(record, i, in->limit[1] * eps);
        if (share <= in->limit[0])
            continue;
        dominated++;
        if (!finding)
            finding = finding_add(out, record->first_step, record->last_step, share, in->limit[0], "%s", "");
        finding_add_layer(out, finding, record->parameter[i].name);
        finding->value = share > finding->value ? share : finding->value;
    }
    if (!finding)
        return;
    finding->message = arena_printf(in->arena,
                                    "in %d of %d weight tensors most gradient elements lie below %g eps = %.1e (%.0f %% in the "
                                    "worst): the update is no longer normalised",
                                    dominated, tensors, in->limit[1], in->limit[1] * eps, 100 * finding->value);
    finding->blame = "optimizer.eps";
    judge_change(in, out, finding, "optimizer.eps", judge_short(in, eps / 1000));
}

const Rule rule_adam_eps_dominates = {
    .name = "adam-eps-dominates",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "gradients are so small that Adam's eps decides the step",
    .definition =
        "for adam, adamw and rmsprop: more than `share` of a weight's non-zero gradient elements (by the exponent histograms "
        "of the run; without them, its root mean square) lie below `times` eps; not where the loss fell by half",
    .consequence = "steps are smaller than the learning rate says, by |g| / eps",
    .remedy = "a smaller eps, or a loss of larger scale",
    .source = "Wortsman et al. 2023; Molybog et al. 2023",
    .false_alarms = "zeros do not count",
    .limit = {{"share", 0.5, "of non-zero elements"}, {"times", 10, "eps"}},
    .explains = {"update-ratio-low", "plateau", "stuck-at-chance"},
    .check = check,
};
