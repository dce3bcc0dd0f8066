/* Clipping at nearly every step. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static bool is_adaptive(const RuleInput *in)
{
    const Json *clip = in->evidence->config ? json_member(in->evidence->config->json, "clip") : NULL,
               *type = json_member(clip, "type");
    return !strcmp(in->evidence->record->clip.type, "adaptive") ||
           (type && type->type == JSON_STRING && !strcmp(type->string, "adaptive"));
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !record->clip.events || is_adaptive(in))
        return;
    const RecordSeries before = record_scalar(record, RECORD_GRAD_NORM), after = record_scalar(record, RECORD_CLIPPED_NORM);
    double *coefficient = ARENA_ARRAY(in->arena, double, before.count + 1);
    int count = 0, clipped = 0;
    for (int i = 0; i < before.count && i < after.count; i++)
        if (before.value[i] > 0 && isfinite(before.value[i])) {
            coefficient[count] = after.value[i] / before.value[i];
            clipped += coefficient[count++] < 1 - 1e-4;
        }
    double share = count ? (double)clipped / count : 0;
    if (share <= in->limit[0] || count < 10)
        return;
    double median = median_of(coefficient, count), p90 = series_quantile(before, 0.9);
    Finding *finding = finding_add(
        out, record->clip.first_step, record->clip.last_step, share, share > in->limit[1] ? in->limit[1] : in->limit[0],
        "%.0f %% of the steps are clipped, by a factor of %.2g in the median: the learning rate is %.2g in effect", 100 * share,
        median, median * judge_number(in, "optimizer.lr"));
    bool is_grave = share > in->limit[1] && median < in->limit[2];
    finding->severity = is_grave ? judge_severity(in, SEVERITY_ERROR) : SEVERITY_WARNING;
    finding->blame = "clip";
    finding->remedy = arena_printf(in->arena,
                                   "clip.max_norm near %.2g, the 90th percentile of the norms; where every step is to be "
                                   "clipped, say so by a smaller learning rate",
                                   p90);
    if (!strcmp(record->clip.type, "norm"))
        judge_change(in, out, finding, "clip.max_norm", judge_short(in, p90));
}

const Rule rule_clip_saturated = {
    .name = "clip-saturated",
    .severity = SEVERITY_ERROR,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "nearly every step is clipped",
    .definition = "the share of steps whose norm clipping changed is above `warn` (a warning), or above `error` with a median "
                  "coefficient below `coefficient` (an error). Not for adaptive clipping",
    .consequence = "the learning rate is not the one that the config says, and its schedule has lost its meaning",
    .remedy = "clip near the 90th percentile of the norms",
    .source = "Godbole et al. 2023, Deep learning tuning playbook (90th percentile; above 50 %: extremely aggressive)",
    .false_alarms =
        "recipes that clip every step a little on purpose: a warning; a run that learned: a warning; not for adaptive clipping",
    .limit = {{"warn", 0.5, "share of clipped steps"},
              {"error", 0.9, "share of clipped steps for an error"},
              {"coefficient", 0.1, "median factor for an error"}},
    .explains = {"update-ratio-low", "plateau", "stuck-at-chance", "params-unchanged", "weight-decay-dominates"},
    .check = check,
};
