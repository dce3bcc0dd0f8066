/* Single steps whose gradient stands far out. */
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || record->norm_spikes.count < (int64_t)in->limit[1] || !record->seen_norms)
        return;
    double rate = 1000 * (double)record->norm_spikes.count / (double)record->seen_norms;
    if (rate <= in->limit[0] || record->norm_spikes.largest_ratio < in->limit[2])
        return;
    Finding *finding = finding_add(out, record->norm_spikes.first_step, record->norm_spikes.last_step, rate, in->limit[0],
                                   "%lld steps have a gradient far above the 128 before them, up to %.2g times the median "
                                   "(first at step %lld): %.2g in 1000 steps",
                                   (long long)record->norm_spikes.count, record->norm_spikes.largest_ratio,
                                   (long long)record->norm_spikes.first_step, rate);
    finding->blame = "clip";
}

const Rule rule_gradient_spikes = {
    .name = "gradient-spikes",
    .severity = SEVERITY_WARNING,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "single steps have a gradient far above their neighbours'",
    .definition = "steps whose log10 norm has a robust z above 6 against the 128 before (median and MAD), more than `rate` in "
                  "1000 and at least `count`, the largest at least `ratio` "
                  "times its window's median",
    .consequence = "each such step throws the weights and the optimizer's moments off",
    .remedy = "look at the samples of those steps (outliers, wrong labels); clip by norm near the 90th percentile",
    .source = "OLMo-core (SpikeScore); Zhang et al. 2022 (metaseq)",
    .false_alarms = "data with heavy tails",
    .limit = {{"rate", 1, "spikes in 1000 steps"},
              {"count", 3, "spikes"},
              {"ratio", 4, "largest spike over its window's median"}},
    .explains = {"loss-spike"},
    .check = check,
};
