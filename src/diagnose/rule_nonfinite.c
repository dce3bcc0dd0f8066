#include "diagnose/rule_nonfinite.h"

#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* A NaN that a mask keeps from the loss, but not from the gradient, is one of the backward pass. */
static bool is_masked(const Record *record)
{
    const RecordSeries loss =
        series_between(record_scalar(record, RECORD_LOSS), record->nonfinite.step, record->nonfinite.step);
    return !strcmp(record->nonfinite.phase, "forward") && loss.count && isfinite(loss.value[0]);
}

bool nonfinite_is_of(const Record *record, const char *phase)
{
    if (!record->nonfinite.step)
        return false;
    return !strcmp(is_masked(record) ? "backward" : record->nonfinite.phase, phase);
}

bool nonfinite_scaled(const Record *record)
{
    return record->scaler.events > 0;
}

const char *nonfinite_first_layer(const Record *record, bool flow, int64_t *step)
{
    const char *name = NULL;
    *step = 0;
    for (int i = 0; i < record->layers; i++) {
        const RecordTensor *layer = &record->layer[i];
        int64_t first = flow ? layer->first_flow_nonfinite : layer->first_nonfinite;
        if ((flow ? layer->flow_nonfinite : layer->nonfinite) && (!name || first < *step || (flow && first == *step))) {
            name = layer->name;
            *step = first;
        }
    }
    for (int i = 0; flow && !name && i < record->parameters; i++)
        if (record->parameter[i].nonfinite) {
            name = record->parameter[i].name;
            *step = record->parameter[i].first_nonfinite;
        }
    return name;
}

void nonfinite_advise(const RuleInput *in, Findings *out, Finding *finding)
{
    const Record *record = in->evidence->record;
    const RecordSeries norm = series_between(record_scalar(record, RECORD_GRAD_NORM), 0, finding->first_step);
    double typical = series_median(norm);
    if (record->nonfinite.step && record->nonfinite.layer[0])
        finding->blame = judge_layer_path(in, record->nonfinite.layer);
    if (finding->first_step <= record->first_step || !(series_maximum(norm) > 10 * typical))
        return;
    finding->remedy = arena_printf(in->arena,
                                   "the gradient's norm grew to %.2g before: a smaller learning rate, or clipping at %.2g, the "
                                   "median norm until then",
                                   series_maximum(norm), typical);
    judge_change_rate(in, out, finding, 0.1);
    finding->blame = "optimizer.lr";
}

void nonfinite_report(const RuleInput *in, Findings *out)
{
    const RecordNonfinite *event = &in->evidence->record->nonfinite;
    const char *op = event->op[0] ? event->op : event->where;
    const char *at = event->layer[0] && strcmp(event->layer, op) != 0 ? event->layer : NULL;
    const char *kind = !strcmp(event->kind, "inf") ? "an infinity" : "a NaN";
    Finding *finding =
        finding_add(out, event->step, event->step, 1, 0, "step %lld: %s%s%s%s made %s%s%s%s", (long long)event->step, op,
                    !strcmp(event->phase, "backward") ? " backward" : "", at ? " of " : "", at ? at : "", kind,
                    event->inputs_finite ? " from finite inputs" : "", event->cause[0] ? ": " : "", event->cause);
    if (is_masked(in->evidence->record)) {
        finding->message = arena_printf(in->arena, "%s; the loss does not show it, the gradient does", finding->message);
        finding->remedy = "mask the argument, not only the result: where(x > 0, sqrt(where(x > 0, x, 1)), 0)";
    }
    if (event->layer[0])
        finding_add_layer(out, finding, event->layer);
    nonfinite_advise(in, out, finding);
}
