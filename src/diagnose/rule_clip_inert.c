/* A clip that never acts. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    double limit = judge_number(in, "clip.max_norm"), most;
    if (!record || record->clip.events || !(limit > 0) || record->steps < 20)
        return;
    most = series_maximum(record_scalar(record, RECORD_GRAD_NORM));
    if (!(most < in->limit[0] * limit))
        return;
    Finding *finding = finding_add(out, record->first_step, record->last_step, most / limit, in->limit[0],
                                   "clip.max_norm is %.3g, but no norm was above %.2g", limit, most);
    finding->blame = "clip.max_norm";
}

const Rule rule_clip_inert = {
    .name = "clip-inert",
    .severity = SEVERITY_INFO,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "clipping never acts",
    .definition = "no step was clipped, and the largest norm is below `share` of clip.max_norm",
    .consequence = "none: the run is as it would be without it",
    .remedy = "a max_norm near the 90th percentile of the norms, or no clipping",
    .source = "Godbole et al. 2023, Deep learning tuning playbook",
    .false_alarms = "a limit that is meant as a safety net",
    .limit = {{"share", 0.1, "largest norm over the limit"}},
    .check = check,
};
