#include "diagnose/rule.h"

#include <string.h>

#define RULE(name) extern const Rule rule_##name;
#include "diagnose/rules.def"

const Rule *const rule_table[] = {
#define RULE(name) &rule_##name,
#include "diagnose/rules.def"
};
const int rule_count = sizeof rule_table / sizeof *rule_table;

const char *rule_group_name(RuleGroup group)
{
    static const char *const names[GROUP_COUNT] = {
        "numerics", "data", "initialisation", "gradient flow", "activations", "gradient handling", "optimizer", "loss"};
    return names[group];
}

const char *rule_stage_name(RuleStage stage)
{
    static const char *const names[] = {"static", "preflight", "live"};
    return names[stage];
}

const Rule *rule_find(const char *name)
{
    for (int i = 0; i < rule_count; i++)
        if (!strcmp(rule_table[i]->name, name))
            return rule_table[i];
    return NULL;
}
