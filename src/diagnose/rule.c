#include "diagnose/rule.h"

#include <string.h>

#include "base/text.h"

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

bool rule_suggest(const char *name, Error *err)
{
    const char *names[sizeof rule_table / sizeof *rule_table];
    for (int i = 0; i < rule_count; i++)
        names[i] = rule_table[i]->name;
    const char *nearest = text_nearest(name, names, rule_count);
    return nearest ? error_hint(err, "did you mean `%s`?", nearest) : error_hint(err, "gradtool list rules prints them");
}

int rule_limits(const Rule *rule)
{
    int count = 0;
    while (count < RULE_LIMITS && rule->limit[count].name)
        count++;
    return count;
}
