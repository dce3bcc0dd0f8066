/* What the three rules about values that are not finite share. */
#ifndef GRADTOOL_DIAGNOSE_RULE_NONFINITE_H
#define GRADTOOL_DIAGNOSE_RULE_NONFINITE_H

#include "diagnose/rule.h"

/* Whether the log has a nonfinite event of that phase. */
bool nonfinite_is_of(const Record *record, const char *phase);
/* Whether a gradient scaler was at work: then gradients that are not finite are its business. */
bool nonfinite_scaled(const Record *record);
/* The layer whose output (or, `flow`, its gradient; or parameter's gradient) was the first not to be finite: the earliest in
 * time, then the first (of gradients the last) in order. NULL: none. */
const char *nonfinite_first_layer(const Record *record, bool flow, int64_t *step);
/* The finding of the event, in words. */
void nonfinite_report(const RuleInput *in, Findings *out);
/* A change of the config that may help. */
void nonfinite_advise(const RuleInput *in, Findings *out, Finding *finding);

#endif
