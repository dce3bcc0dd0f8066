/* Weights that grow without end. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* Doublings of the norm over equal parts of the run, the longest run of them. */
static int doublings(RecordSeries norm)
{
    enum { PARTS = 10 };
    int longest = 0, run = 0;
    double before = NAN;
    for (int i = 0; i < PARTS && norm.count >= 2 * PARTS; i++) {
        int from = norm.count * i / PARTS, to = norm.count * (i + 1) / PARTS;
        double median = series_median((RecordSeries){norm.step + from, norm.value + from, to - from});
        run = median > 2 * before ? run + 1 : 0;
        longest = run > longest ? run : longest;
        before = median;
    }
    return longest;
}

/* The first step at which the norm is beyond the limit. */
static int64_t grown_since(RecordSeries norm, double limit)
{
    for (int i = 0; i < norm.count; i++)
        if (norm.value[i] > limit)
            return norm.step[i];
    return norm.step[norm.count - 1];
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    Finding *finding = NULL;
    for (int i = 0; record && i < record->parameters; i++) {
        const RecordSeries norm = record_track(record, RECORD_WEIGHT_NORM, i);
        double first = series_first(norm), last = series_maximum(norm);
        if (record->parameter[i].rank < 2 || !(first > 0) || !(last > 0))
            continue;
        if (last / first < in->limit[0] && doublings(norm) < (int)in->limit[1])
            continue;
        if (!finding)
            finding = finding_add(out, grown_since(norm, 10 * first), record->last_step, 0, in->limit[0], "%s", "");
        finding_add_layer(out, finding, record->parameter[i].name);
        if (last / first > finding->value) {
            finding->value = last / first;
            finding->message =
                arena_printf(in->arena, "the norm of %s grows from %.2g to %.2g", record->parameter[i].name, first, last);
        }
    }
    if (finding)
        finding->blame = "optimizer";
}

const Rule rule_weight_growth = {
    .name = "weight-growth",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "weights grow without end",
    .definition = "the norm of a tensor of rank 2 and more that did not begin at 0 reaches `growth` times its first one, or "
                  "doubles in `doublings` tenths of the run in a row",
    .consequence = "activations and gradients follow, and overflow at last",
    .remedy = "weight decay, a smaller learning rate",
    .source = "TheDeepChecker; Wortsman et al. 2023 (arXiv 2309.14322)",
    .false_alarms = "weights before a norm layer, whose scale has no effect",
    .limit = {{"growth", 100, "largest norm over the first"}, {"doublings", 5, "in a row"}},
    .explains = {"activation-scale", "saturated-units", "nonfinite-forward", "nonfinite-parameter"},
    .check = check,
};
