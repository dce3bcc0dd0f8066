#include "diagnose/rule_settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/text.h"

RuleSettings *rule_settings_new(Arena *arena)
{
    RuleSettings *settings = ARENA_NEW(arena, RuleSettings);
    settings->rule = ARENA_ARRAY(arena, RuleSetting, rule_count);
    for (int i = 0; i < rule_count; i++)
        for (int k = 0; k < RULE_LIMITS; k++)
            settings->rule[i].limit[k] = rule_table[i]->limit[k].value;
    return settings;
}

/* Index, or -1. */
static int find_rule(const char *name, size_t length)
{
    for (int i = 0; i < rule_count; i++)
        if (strlen(rule_table[i]->name) == length && !strncmp(rule_table[i]->name, name, length))
            return i;
    return -1;
}

static int find_limit(const Rule *rule, const char *name)
{
    for (int k = 0; k < rule_limits(rule); k++)
        if (!strcmp(rule->limit[k].name, name))
            return k;
    return -1;
}

/* "severity, ratio, share" */
static bool suggest_limit(const Rule *rule, const char *name, bool with_severity, Error *err)
{
    const char *names[RULE_LIMITS + 1];
    int count = 0;
    if (with_severity)
        names[count++] = "severity";
    for (int k = 0; k < rule_limits(rule); k++)
        names[count++] = rule->limit[k].name;
    const char *nearest = text_nearest(name, names, count);
    if (nearest)
        return error_hint(err, "did you mean `%s`?", nearest);
    if (!count)
        return error_hint(err, "it has no limits");
    Arena *scratch = arena_new(NULL);
    Text known = text_new(scratch);
    for (int i = 0; i < count; i++)
        text_printf(&known, "%s%s", i ? ", " : "", names[i]);
    error_hint(err, "it has %s", known.at);
    arena_free(scratch);
    return false;
}

static bool read_severity(const Json *value, RuleSetting *setting, Error *err)
{
    static const char *const names[] = {"info", "warning", "error", NULL};
    int severity = fields_choose(value, "severity", names, err);
    if (severity < 0)
        return false;
    setting->has_severity = true;
    setting->severity = (Severity)severity;
    return true;
}

static bool read_key(const Json *member, const Rule *rule, RuleSetting *setting, Error *err)
{
    if (!strcmp(member->key, "severity"))
        return read_severity(member, setting, err);
    int limit = find_limit(rule, member->key);
    if (limit < 0) {
        error_at_key(err, member, "rule `%s` has no limit `%s`", rule->name, member->key);
        return suggest_limit(rule, member->key, true, err);
    }
    if (member->type != JSON_NUMBER)
        return error_at(err, member, "`%s` must be a number: %s", member->key, rule->limit[limit].help);
    setting->limit[limit] = member->number;
    return true;
}

static bool read_rule(const Json *member, const Rule *rule, RuleSetting *setting, Error *err)
{
    if (member->type == JSON_STRING && !strcmp(member->string, "off")) {
        setting->is_off = true;
        return true;
    }
    if (member->type != JSON_OBJECT) {
        error_at(err, member, "a rule is \"off\" or an object of its settings");
        return error_hint(err, "{\"severity\": \"warning\"%s%s%s}", rule->limit[0].name ? ", \"" : "",
                          rule->limit[0].name ? rule->limit[0].name : "", rule->limit[0].name ? "\": ..." : "");
    }
    bool fine = true;
    for (const Json *key = member->first; key; key = key->next)
        fine = read_key(key, rule, setting, err) && fine;
    return fine;
}

bool rule_settings_read(RuleSettings *settings, const Json *object, Error *err)
{
    bool fine = true;
    if (!object || object->type == JSON_NULL)
        return true;
    if (object->type != JSON_OBJECT)
        return error_at(err, object, "`rules` is an object: {\"dead-units\": \"off\"}");
    for (const Json *member = object->first; member; member = member->next) {
        int rule = find_rule(member->key, strlen(member->key));
        if (rule < 0) {
            error_at_key(err, member, "there is no rule `%s`", member->key);
            fine = rule_suggest(member->key, err);
        } else {
            fine = read_rule(member, rule_table[rule], &settings->rule[rule], err) && fine;
        }
    }
    return fine;
}

bool rule_settings_set(RuleSettings *settings, const char *assignment, Error *err)
{
    size_t rule_length = strcspn(assignment, ".="), limit_length = 0;
    const char *limit_name = assignment + rule_length;
    if (*limit_name == '.')
        limit_length = strcspn(++limit_name, "=");
    if (!rule_length || !limit_length || limit_name[limit_length] != '=') {
        error_add(err, "`--threshold %s` is not RULE.LIMIT=VALUE", assignment);
        return error_hint(err, "gradtool explain RULE prints the limits of a rule");
    }
    Arena *scratch = arena_new(NULL);
    const char *name = arena_strndup(scratch, assignment, rule_length);
    const char *key = arena_strndup(scratch, limit_name, limit_length), *text = limit_name + limit_length + 1;
    int rule = find_rule(name, rule_length), limit = rule < 0 ? -1 : find_limit(rule_table[rule], key);
    char *end;
    double value = strtod(text, &end);
    bool fine = false;
    if (rule < 0) {
        error_add(err, "there is no rule `%s`", name);
        rule_suggest(name, err);
    } else if (limit < 0) {
        error_add(err, "rule `%s` has no limit `%s`", name, key);
        suggest_limit(rule_table[rule], key, false, err);
    } else if (end == text || *end || !isfinite(value)) {
        error_add(err, "`%s.%s` must be a number, got `%s`", name, key, text);
    } else {
        settings->rule[rule].limit[limit] = value;
        fine = true;
    }
    arena_free(scratch);
    return fine;
}

/* Marks the rules that the list's names and globs match. */
static bool mark(Arena *arena, const char *list, const char *option, bool marked[], Error *err)
{
    bool fine = true;
    for (size_t length; *list; list += length + (list[length] == ',')) {
        bool matches = false;
        length = strcspn(list, ",");
        const char *name = arena_strndup(arena, list, length);
        for (int i = 0; i < rule_count; i++)
            if (text_glob(name, rule_table[i]->name))
                matches = marked[i] = true;
        if (!matches) {
            error_add(err, "there is no rule `%s` to %s", name, option);
            fine = rule_suggest(name, err);
        }
    }
    return fine;
}

Selection *selection_new(Arena *arena, const char *const select[], int selects, const char *const ignore[], int ignores,
                         Error *err)
{
    bool *wanted = ARENA_ARRAY(arena, bool, rule_count), *unwanted = ARENA_ARRAY(arena, bool, rule_count);
    bool fine = true, is_any = false;
    for (int i = 0; i < selects; i++)
        fine = mark(arena, select[i], "select", wanted, err) && fine;
    for (int i = 0; i < ignores; i++)
        fine = mark(arena, ignore[i], "ignore", unwanted, err) && fine;
    for (int i = 0; i < rule_count; i++) {
        wanted[i] = (wanted[i] || !selects) && !unwanted[i];
        is_any = is_any || wanted[i];
    }
    if (fine && !is_any)
        fine = error_add(err, "no rule is left to check");
    if (!fine)
        return NULL;
    Selection *selection = ARENA_NEW(arena, Selection);
    selection->rule = wanted;
    return selection;
}
