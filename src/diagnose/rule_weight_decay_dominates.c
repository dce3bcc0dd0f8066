/* The decay pulls harder than the data. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* Of one parameter at one observation: the decay's part of the update over the rest. L2 decay is part of the gradient,
 * decoupled decay of the update: then lr * weight_decay is compared with what the update is in all. */
static double decay_share(bool is_decoupled, double decay, double rate, double gradient, double weight, double ratio)
{
    if (!is_decoupled)
        return decay * weight / gradient;
    double by_decay = decay * rate, by_data = ratio - by_decay;
    return by_data > 0 ? by_decay / by_data : INFINITY;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    double decay = judge_number(in, "optimizer.weight_decay"), rate = judge_number(in, "optimizer.lr");
    bool is_decoupled = !strcmp(judge_optimizer(in), "adamw");
    if (!record || !(decay > 0) || !(rate > 0) || !record_has(record, RECORD_WEIGHT_NORM) || judge_progress(in) > 0.5)
        return;
    const RecordSeries loss = record_scalar(record, RECORD_LOSS);
    Finding *finding;
    int tensors = 0, dominated = 0;
    double *medians = ARENA_ARRAY(in->arena, double, record->parameters + 1);
    const char **names = ARENA_ARRAY(in->arena, const char *, record->parameters + 1);
    for (int i = 0; i < record->parameters && loss.count; i++) {
        const RecordSeries g = record_track(record, RECORD_GRADIENT_NORM, i), w = record_track(record, RECORD_WEIGHT_NORM, i),
                           r = record_track(record, RECORD_UPDATE_RATIO, i);
        double *shares = ARENA_ARRAY(in->arena, double, g.count + 1);
        int count = 0;
        for (int k = g.count / 4; k < g.count && k < w.count && k < r.count; k++) {
            double share = decay_share(is_decoupled, decay, rate, g.value[k], w.value[k], r.value[k]);
            if (g.value[k] > 0 && w.value[k] > 0 && !isnan(share))
                shares[count++] = share;
        }
        if (record->parameter[i].rank < 2 || count < 5)
            continue;
        medians[tensors] = median_of(shares, count);
        if (medians[tensors++] > in->limit[0])
            names[dominated++] = record->parameter[i].name;
    }
    if (rate * decay > in->limit[2]) {
        finding = finding_add(out, 0, record->last_step, rate * decay, in->limit[2],
                              "weight decay takes %.2g of every weight in each step: what was learned %.0f steps ago is gone",
                              rate * decay, 1 / (rate * decay));
        finding->blame = "optimizer.weight_decay";
        judge_change(in, out, finding, "optimizer.weight_decay", judge_short(in, 1e-4 / rate));
        return;
    }
    if (!tensors || dominated <= in->limit[1] * tensors)
        return;
    double middle = median_of(medians, tensors);
    finding = finding_add(out, record->first_step, record->last_step, middle, in->limit[0],
                          "weight decay pulls harder than the loss on %d of %d weight tensors (%.2g times, median)", dominated,
                          tensors, middle);
    for (int i = 0; i < dominated; i++)
        finding_add_layer(out, finding, names[i]);
    finding->blame = "optimizer.weight_decay";
    judge_change(in, out, finding, "optimizer.weight_decay",
                 judge_short(in, isfinite(middle) ? decay * 0.1 / middle : decay / 100));
}

const Rule rule_weight_decay_dominates = {
    .name = "weight-decay-dominates",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "weight decay pulls harder than the loss",
    .definition = "the norm of weight_decay * weights over that of the gradient (adamw: the decay's part of the update over "
                  "the rest), median over the last three quarters of the run, above `ratio` in more than `tensors` of the "
                  "tensors of rank 2 and more; or lr * weight_decay above `rate`; not where the loss fell by half",
    .consequence = "the weights shrink to 0 whatever the data says",
    .remedy = "a smaller weight decay",
    .source = "Loshchilov & Hutter 2019; TheDeepChecker",
    .false_alarms = "late in training, where the gradient is small: not once the loss fell by half",
    .limit = {{"ratio", 1, "decay over gradient"},
              {"tensors", 0.5, "share of tensors"},
              {"rate", 0.02, "lr * weight_decay, the part of a weight that a step takes"}},
    .explains = {"stuck-at-chance", "plateau", "dead-units", "vanishing-gradient", "update-ratio-high", "activation-scale",
                 "cannot-overfit-batch", "exploding-gradient"},
    .check = check,
};
