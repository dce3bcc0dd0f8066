/* One tensor decides how much all are clipped. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* At point i: the parameter that holds most of the squared norm, and how much. */
static int largest(const Record *record, const RecordSeries norm[], int i, double *share)
{
    double total = 0, most = 0;
    int owner = -1;
    for (int p = 0; p < record->parameters; p++) {
        double square = i < norm[p].count && isfinite(norm[p].value[i]) ? norm[p].value[i] * norm[p].value[i] : 0;
        total += square;
        if (square > most) {
            most = square;
            owner = p;
        }
    }
    *share = total > 0 ? most / total : 0;
    return owner;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || record->clip.events < 10 || record->parameters < 3 || !record->points)
        return;
    RecordSeries *norm = ARENA_ARRAY(in->arena, RecordSeries, record->parameters);
    int *times = ARENA_ARRAY(in->arena, int, record->parameters), seen = 0, first = -1;
    for (int p = 0; p < record->parameters; p++)
        norm[p] = record_track(record, RECORD_GRADIENT_NORM, p);
    double limit = INFINITY;
    const RecordSeries before = record_scalar(record, RECORD_GRAD_NORM), after = record_scalar(record, RECORD_CLIPPED_NORM);
    for (int i = 0; i < before.count && i < after.count; i++)
        if (after.value[i] < before.value[i] * (1 - 1e-4) && before.value[i] < limit)
            limit = before.value[i]; /* the smallest norm that was clipped */
    for (int i = 0; i < norm[0].count; i++) {
        double share, total = 0;
        int owner = largest(record, norm, i, &share);
        for (int p = 0; p < record->parameters; p++)
            total += i < norm[p].count && isfinite(norm[p].value[i]) ? norm[p].value[i] * norm[p].value[i] : 0;
        if (sqrt(total) < limit * 0.99 || owner < 0)
            continue;
        seen++;
        times[owner] += share > in->limit[0];
        first = first < 0 ? i : first;
    }
    for (int p = 0; p < record->parameters && seen >= 10; p++) {
        double share = (double)times[p] / seen;
        if (share <= in->limit[1])
            continue;
        Finding *finding = finding_add(out, norm[p].step[first], record->clip.last_step, share, in->limit[1],
                                       "in %.0f %% of the clipped steps %s alone holds more than %.0f %% of the squared norm: "
                                       "all others are made small because of it",
                                       100 * share, record->parameter[p].name, 100 * in->limit[0]);
        finding_add_layer(out, finding, record->parameter[p].name);
        finding->blame = "clip";
        judge_change(in, out, finding, "clip.per_layer", "true");
    }
}

const Rule rule_clip_one_layer = {
    .name = "clip-one-layer",
    .severity = SEVERITY_WARNING,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "one tensor decides how much all gradients are clipped",
    .definition = "in more than `steps` of the observed clipped steps, one parameter of at least three holds more than `share` "
                  "of the squared norm",
    .consequence = "the other layers learn at a fraction of their rate",
    .remedy = "clip.per_layer: true, or mend that layer (scale of its inputs, its initialisation)",
    .source = "gradtool; Brock et al. 2021 clip by unit for this reason",
    .false_alarms = "output biases in the first steps",
    .limit = {{"share", 0.9, "of the squared norm"}, {"steps", 0.5, "share of the clipped steps"}},
    .explains = {"update-ratio-low"},
    .check = check,
};
