/* What a config and a command line say about the rules: which are off, how grave their findings are, their limits. */
#ifndef GRADTOOL_DIAGNOSE_RULE_SETTINGS_H
#define GRADTOOL_DIAGNOSE_RULE_SETTINGS_H

#include "base/error.h"
#include "diagnose/rule.h"

typedef struct RuleSetting {
    bool is_off;
    bool has_severity; /* then all findings of the rule have it */
    Severity severity;
    double limit[RULE_LIMITS];
} RuleSetting;

typedef struct RuleSettings {
    RuleSetting *rule; /* in the order of rule_table */
} RuleSettings;

/* Every rule as it comes. */
RuleSettings *rule_settings_new(Arena *arena);

/* The config's "rules": {"dead-units": "off", "vanishing-gradient": {"severity": "error", "ratio": 1e-4}}. NULL: nothing is
 * said. Nothing is filled in. Mistakes are reported all at once, each at its place, with the nearest known name. */
bool rule_settings_read(RuleSettings *settings, const Json *object, Error *err);
/* "RULE.LIMIT=VALUE", as --threshold has it. */
bool rule_settings_set(RuleSettings *settings, const char *assignment, Error *err);

/* Which rules are wanted: those that a name or glob of `select` matches (all where it is empty) and none of `ignore` does.
 * Entries may be lists with commas. An entry that matches nothing is an error, and so is a choice that leaves none. */
typedef struct Selection {
    const bool *rule; /* in the order of rule_table */
} Selection;
Selection *selection_new(Arena *arena, const char *const select[], int selects, const char *const ignore[], int ignores,
                         Error *err);

#endif
