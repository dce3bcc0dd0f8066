/* A rule: a pure function from what is known of a training to findings. One file rule_<name>.c and one line in rules.def
 * each; everything that is said of a rule elsewhere (explain, list, SARIF, reports) stands in its row. */
#ifndef GRADTOOL_DIAGNOSE_RULE_H
#define GRADTOOL_DIAGNOSE_RULE_H

#include "base/error.h"
#include "diagnose/evidence.h"
#include "diagnose/finding.h"

/* What kind of cause it is, the likelier root first. */
typedef enum RuleGroup {
    GROUP_NUMERICS,
    GROUP_DATA,
    GROUP_INITIALISATION,
    GROUP_FLOW,
    GROUP_ACTIVATIONS,
    GROUP_GRADIENT_HANDLING, /* accumulation, clipping, loss scaling */
    GROUP_OPTIMIZER,
    GROUP_LOSS,
    GROUP_COUNT
} RuleGroup;
const char *rule_group_name(RuleGroup group);

typedef enum RuleStage {
    STAGE_STATIC,    /* from the config, the data and the initial weights alone */
    STAGE_PREFLIGHT, /* from a few batches before training */
    STAGE_LIVE       /* from the log of a run, finished or not */
} RuleStage;
const char *rule_stage_name(RuleStage stage);

enum { RULE_LIMITS = 6, RULE_EXPLAINS = 16 };

typedef struct RuleLimit {
    const char *name; /* as `rules` of a config and --threshold RULE.NAME=V set it */
    double value;
    const char *help;
} RuleLimit;

/* What a check is given. A rule looks only at what it names, and finds nothing where that is absent (NULL). */
typedef struct RuleInput {
    Arena *arena;
    const Evidence *evidence;
    const double *limit; /* of this rule, after settings */
} RuleInput;

struct Rule {
    const char *name; /* public: kebab-case */
    Severity severity;
    RuleGroup group;
    RuleStage stage;
    const char *summary;      /* one line for lists */
    const char *definition;   /* how it is computed, exactly */
    const char *consequence;  /* what follows for the training */
    const char *remedy;       /* what to change */
    const char *source;       /* papers, sections */
    const char *false_alarms; /* where it is known to be wrong, and what was done about it */
    RuleLimit limit[RULE_LIMITS];
    const char *explains[RULE_EXPLAINS]; /* rules whose findings follow from one of this; "*": all that begin no earlier */
    void (*check)(const RuleInput *in, Findings *out);
};

extern const Rule *const rule_table[];
extern const int rule_count;
/* NULL where there is none. */
const Rule *rule_find(const char *name);
/* Adds help to the last error, which is about an unknown rule: the nearest name. Returns false. */
bool rule_suggest(const char *name, Error *err);
int rule_limits(const Rule *rule);

#endif
