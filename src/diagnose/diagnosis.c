#include "diagnose/diagnosis.h"

#include <string.h>

/* One finding while it is ranked. */
typedef struct Ranked {
    Finding *finding;
    int order;   /* among all findings, as they were made: the order of the table, then of the rule */
    int cause;   /* index of the finding that it follows from; -1: none */
    int gravest; /* severity of the gravest finding that it accounts for, itself included; -1: all are known */
    bool is_placed;
} Ranked;

static int compare_findings(const Finding *a, const Finding *b)
{
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    if (a->rule->group != b->rule->group)
        return a->rule->group < b->rule->group ? -1 : 1;
    return (a->first_step > b->first_step) - (a->first_step < b->first_step);
}

static int compare_ranked(const Ranked *a, const Ranked *b)
{
    int by_finding = compare_findings(a->finding, b->finding);
    return by_finding ? by_finding : (a->order > b->order) - (a->order < b->order);
}

static bool names(const Rule *cause, const Rule *rule)
{
    for (int i = 0; i < RULE_EXPLAINS && cause->explains[i]; i++)
        if (!strcmp(cause->explains[i], rule->name) || !strcmp(cause->explains[i], "*"))
            return true;
    return false;
}

/* A cause comes first. Where it is of a kind that usually is the cause (its group ranks before), beginning at about the same
 * time will do: windows are as long as that. Where each may be the other's cause, or the kind is usually the effect, it must
 * have been there before. */
static bool comes_first(const Finding *cause, const Finding *finding)
{
    const RuleGroup before = cause->rule->group, after = finding->rule->group;
    int64_t slack = finding->last_step / 20 > 20 ? finding->last_step / 20 : 20;
    if (before < after && !names(finding->rule, cause->rule))
        return cause->first_step <= finding->first_step + slack;
    bool is_of_the_start = !cause->first_step && !finding->first_step;
    return cause->first_step < finding->first_step ||
           (cause->first_step == finding->first_step && (before <= after || is_of_the_start));
}

static bool explains(const Finding *cause, const Finding *finding)
{
    return cause->rule != finding->rule && cause->severity != SEVERITY_INFO && names(cause->rule, finding->rule) &&
           comes_first(cause, finding);
}

/* A few dozen at most: no need of a faster sort. */
static void sort(Ranked *ranked, int count)
{
    for (int i = 1; i < count; i++) {
        Ranked moved = ranked[i];
        int at = i;
        for (; at > 0 && compare_ranked(&moved, &ranked[at - 1]) < 0; at--)
            ranked[at] = ranked[at - 1];
        ranked[at] = moved;
    }
}

static bool is_explained(const Ranked *ranked, int count, int index)
{
    for (int i = 0; i < count; i++)
        if (explains(ranked[i].finding, ranked[index].finding))
            return true;
    return false;
}

/* Gives every finding that a placed one explains its cause, the best ranked one, until no more can be placed. */
static void place_consequences(Ranked *ranked, int count)
{
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (int i = 0; i < count; i++)
            for (int k = 0; k < count && !ranked[i].is_placed; k++)
                if (ranked[k].is_placed && explains(ranked[k].finding, ranked[i].finding)) {
                    ranked[i].cause = k;
                    ranked[i].is_placed = has_changed = true;
                }
    }
}

/* Every finding gets its cause; what is left in circles is opened at its best ranked finding. */
static void find_causes(Ranked *ranked, int count)
{
    for (int i = 0; i < count; i++)
        ranked[i].is_placed = !is_explained(ranked, count, i);
    place_consequences(ranked, count);
    for (int i = 0; i < count; i++)
        if (!ranked[i].is_placed) {
            ranked[i].is_placed = true;
            place_consequences(ranked, count);
        }
    for (int i = 0; i < count; i++)
        ranked[i].finding->cause = ranked[i].cause < 0 ? NULL : ranked[ranked[i].cause].finding;
}

static void weigh(Ranked *ranked, int count)
{
    for (int i = 0; i < count; i++) {
        int severity = ranked[i].finding->is_known ? -1 : (int)ranked[i].finding->severity;
        for (int at = i; at >= 0; at = ranked[at].cause)
            ranked[at].gravest = severity > ranked[at].gravest ? severity : ranked[at].gravest;
    }
}

/* Appends the finding, and behind it what follows from it. */
static void list(const Ranked *ranked, int count, int index, Finding **into, int *listed)
{
    into[(*listed)++] = ranked[index].finding;
    for (int i = 0; i < count; i++)
        if (ranked[i].cause == index)
            list(ranked, count, i, into, listed);
}

/* Reports want them unique: a second finding of the same rule, layers and place is told from the first by its number. */
static void set_fingerprint(Findings *findings, int index)
{
    Finding *finding = findings->at[index];
    finding->fingerprint = finding_fingerprint(findings->arena, finding, 0);
    for (int i = 0, number = 0; i < index; i++)
        if (!strcmp(findings->at[i]->fingerprint, finding->fingerprint)) {
            finding->fingerprint = finding_fingerprint(findings->arena, finding, ++number);
            i = -1;
        }
}

void findings_rank(Findings *findings)
{
    Arena *scratch = arena_new(findings->arena);
    int count = findings->count, listed = 0;
    Ranked *ranked = ARENA_ARRAY(scratch, Ranked, count);
    for (int i = 0; i < count; i++)
        ranked[i] = (Ranked){.finding = findings->at[i], .order = i, .cause = -1, .gravest = -1};
    sort(ranked, count);
    find_causes(ranked, count);
    weigh(ranked, count);
    for (int gravest = SEVERITY_ERROR; gravest >= -1; gravest--)
        for (int i = 0; i < count; i++)
            if (ranked[i].cause < 0 && ranked[i].gravest == gravest) {
                ranked[i].finding->is_root = listed == 0 && gravest >= 0;
                list(ranked, count, i, findings->at, &listed);
            }
    for (int i = 0; i < count; i++)
        set_fingerprint(findings, i);
    arena_free(scratch);
}

/* NULL: it has what its stage needs. */
static const char *missing_evidence(const Rule *rule, const Evidence *evidence)
{
    switch (rule->stage) {
    case STAGE_STATIC:
        return evidence->config ? NULL : "there is no config";
    case STAGE_PREFLIGHT:
        return evidence->initial || evidence->overfit ? NULL : "no batch was tried before training";
    default:
        return evidence->record ? NULL : "there is no log of a training";
    }
}

static RuleResult run_rule(const Rule *rule, const RuleSetting *setting, bool is_selected, const Evidence *evidence,
                           Findings *findings)
{
    if (!is_selected)
        return (RuleResult){RULE_UNSELECTED, "not selected"};
    if (setting->is_off)
        return (RuleResult){RULE_OFF, "off in the config"};
    const char *reason = missing_evidence(rule, evidence);
    if (reason)
        return (RuleResult){RULE_NOT_JUDGEABLE, reason};
    int before = findings->count;
    findings->rule = rule;
    findings->severity = rule->severity;
    findings->skipped = NULL;
    rule->check(&(RuleInput){findings->arena, evidence, setting->limit}, findings);
    for (int i = before; i < findings->count && setting->has_severity; i++)
        findings->at[i]->severity = setting->severity;
    if (findings->skipped && findings->count == before)
        return (RuleResult){RULE_NOT_JUDGEABLE, findings->skipped};
    return (RuleResult){.outcome = RULE_RAN};
}

Diagnosis *diagnose(Arena *arena, const Evidence *evidence, const RuleSettings *settings, const Selection *selection)
{
    Findings findings = {.arena = arena};
    RuleResult *result = ARENA_ARRAY(arena, RuleResult, rule_count);
    Diagnosis *diagnosis = ARENA_NEW(arena, Diagnosis);
    for (int i = 0; i < rule_count; i++) {
        bool is_selected = !selection || selection->rule[i];
        result[i] = run_rule(rule_table[i], &settings->rule[i], is_selected, evidence, &findings);
        diagnosis->ran += result[i].outcome == RULE_RAN;
    }
    for (int i = 0; i < findings.count; i++)
        findings.at[i]->is_known = baseline_knows(evidence->baseline, findings.at[i]);
    findings_rank(&findings);
    diagnosis->finding = findings.at;
    diagnosis->findings = findings.count;
    diagnosis->rule = result;
    return diagnosis;
}

bool diagnosis_worst(const Diagnosis *diagnosis, Severity *worst)
{
    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_INFO; severity--)
        if (diagnosis_count(diagnosis, (Severity)severity)) {
            *worst = (Severity)severity;
            return true;
        }
    return false;
}

int diagnosis_count(const Diagnosis *diagnosis, Severity severity)
{
    int count = 0;
    for (int i = 0; i < diagnosis->findings; i++)
        count += diagnosis->finding[i]->severity == severity && !diagnosis->finding[i]->is_known;
    return count;
}
