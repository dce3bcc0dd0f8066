/* From evidence to findings: the rules run, what they found is ranked, and the cause stands first. */
#ifndef GRADTOOL_DIAGNOSE_DIAGNOSIS_H
#define GRADTOOL_DIAGNOSE_DIAGNOSIS_H

#include "diagnose/rule_settings.h"

typedef enum RuleOutcome {
    RULE_RAN,
    RULE_OFF,          /* by the config */
    RULE_UNSELECTED,   /* by the command line */
    RULE_NOT_JUDGEABLE /* what it looks at is not there; `reason` says what */
} RuleOutcome;

typedef struct RuleResult {
    RuleOutcome outcome;
    const char *reason; /* in words, of every outcome but RULE_RAN */
} RuleResult;

typedef struct Diagnosis {
    Finding **finding; /* the root cause first; what follows from a finding stands behind it */
    int findings;
    const RuleResult *rule; /* in the order of rule_table */
    int ran;                /* rules that could judge */
} Diagnosis;

/* Runs every rule that is selected (NULL: all), not off, and has evidence of its stage; then ranks. */
Diagnosis *diagnose(Arena *arena, const Evidence *evidence, const RuleSettings *settings, const Selection *selection);

/* Sorts findings and fills in `cause`, `is_root` and `fingerprint`.
 *
 * A finding follows from another whose rule names its rule in `explains` ("*": any), and which came first: at about the same
 * time where its group ranks before the other's and only it explains the other, else earlier. A remark (info) explains nothing.
 * What nothing explains is a cause. Of several explanations the best ranked one counts: by severity, then group, then first
 * step, then the order of the table; the same order breaks circles. Causes are ordered by the gravest finding that they account
 * for, then in the same way; known findings (is_known) weigh nothing. The first cause is the root, unless all is known. */
void findings_rank(Findings *findings);

/* The gravest finding that is not known; false when there is none. */
bool diagnosis_worst(const Diagnosis *diagnosis, Severity *worst);
/* Findings of a severity that are not known. */
int diagnosis_count(const Diagnosis *diagnosis, Severity severity);

#endif
