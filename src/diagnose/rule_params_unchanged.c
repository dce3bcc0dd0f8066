/* A gradient is there, the optimizer does nothing with it. */
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    Finding *finding = NULL;
    for (int i = 0; record && i < record->parameters; i++) {
        const RecordTensor *p = &record->parameter[i];
        if (p->updates < 1 || p->unchanged < (int64_t)in->limit[0] || (double)p->unchanged < 0.9 * (double)p->updates)
            continue;
        if (!finding)
            finding = finding_add(out, p->first_unchanged, record->last_step, (double)p->unchanged, in->limit[0], "%s", "");
        finding_add_layer(out, finding, p->name);
    }
    if (!finding)
        return;
    finding->message = arena_printf(
        in->arena, "%s%s: the gradient is not zero, but %.0f updates did not change a bit", finding->layers[0],
        finding->layer_count > 1 ? arena_printf(in->arena, " and %d more parameters", finding->layer_count - 1) : "",
        finding->value);
    finding->blame = "optimizer";
    const Json *groups =
        in->evidence->config ? json_member(json_member(in->evidence->config->json, "optimizer"), "groups") : NULL;
    if (groups && groups->count)
        judge_change(in, out, finding, "optimizer.groups", "[]");
    else
        judge_change_rate(in, out, finding, 1e4);
}

const Rule rule_params_unchanged = {
    .name = "params-unchanged",
    .severity = SEVERITY_ERROR,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "parameters have a gradient, but updates do not change them",
    .definition = "at least `updates` measured updates, nine in ten of all, left every number of a parameter as it was "
                  "although its gradient was not zero, the learning rate was above 0 and the step was not skipped",
    .consequence = "these weights do not learn",
    .remedy = "give the parameters to the optimizer (lr of their group above 0); where the updates are below the last digit of "
              "the weights, a larger learning rate",
    .source = "Jiang et al. 2025 (TrainCheck); accelerate issues 2665, 3256",
    .false_alarms = "a warm-up that begins at a rate of exactly 0",
    .limit = {{"updates", 1, "that changed nothing"}},
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch", "update-ratio-low"},
    .check = check,
};
