/* JUnit's XML, as Jenkins' and GitLab's readers have it: a suite a subject, a case for each rule, and of a rule that found
 * something one for each layer. Rules that passed are cases that passed. */
#include <string.h>

#include "cli/check_report.h"

typedef struct Counts {
    int tests, failures, errors, skipped;
} Counts;

/* Attribute or content: one line, escaped. */
static const char *escaped(Arena *arena, const char *string)
{
    Text text = text_new(arena);
    for (const char *at = check_line(arena, string); *at; at++)
        switch (*at) {
        case '&':
            text_add(&text, "&amp;");
            break;
        case '<':
            text_add(&text, "&lt;");
            break;
        case '>':
            text_add(&text, "&gt;");
            break;
        case '"':
            text_add(&text, "&quot;");
            break;
        default:
            text_add_char(&text, *at);
        }
    return text.at;
}

/* The opening of a case, which stays open. Readers drop a second case of the same name, so it is numbered. */
static void begin_case(const CheckReport *report, const CheckSubject *subject, const char *layer, const char *name, int number,
                       Text *text)
{
    Arena *arena = report->arena;
    const char *class = layer ? arena_printf(arena, "%s.%s", subject->name, layer) : subject->name;
    const char *numbered = number > 1 ? arena_printf(arena, "%s (%d)", name, number) : name;
    text_printf(text, "    <testcase classname=\"%s\" name=\"%s\"", escaped(arena, class), escaped(arena, numbered));
    if (report->junit_has_files) {
        CheckPlace place = check_place(report, subject, NULL);
        text_printf(text, " file=\"%s\"", escaped(arena, place.uri));
    }
    text_add_char(text, '>');
}

static void add_finding(const CheckReport *report, const CheckSubject *subject, const Finding *finding, const char *layer,
                        int number, Text *text, Counts *counts)
{
    Arena *arena = report->arena;
    CheckPlace place = check_place(report, subject, finding);
    bool fails = check_fails(report, finding);
    begin_case(report, subject, layer, finding->rule->name, number, text);
    if (fails)
        text_printf(text, "\n      <failure type=\"%s\" message=\"%s\">", finding->rule->name,
                    escaped(arena, finding->message));
    else
        text_add(text, "\n      <system-out>");
    text_printf(text, "%s:%ld:%ld: %s[%s]: %s\n", escaped(arena, place.uri), place.line, place.column,
                severity_name(finding->severity), finding->rule->name, escaped(arena, finding->message));
    if (finding->is_known)
        text_add(text, "known: the baseline has it too\n");
    if (finding->cause)
        text_printf(text, "follows from %s\n", finding->cause->rule->name);
    text_printf(text, "%s</%s>\n    </testcase>\n", escaped(arena, finding->remedy), fails ? "failure" : "system-out");
    counts->tests++;
    counts->failures += fails;
}

/* How many cases of the rule and layer stand before the finding, this one included. */
static int number_of(const Diagnosis *diagnosis, int index, const char *layer)
{
    int number = 1;
    for (int i = 0; i < index; i++) {
        const Finding *before = diagnosis->finding[i];
        if (before->rule != diagnosis->finding[index]->rule)
            continue;
        bool has = !layer && !before->layer_count;
        for (int k = 0; layer && k < before->layer_count; k++)
            has = has || !strcmp(before->layers[k], layer);
        number += has;
    }
    return number;
}

static void add_rule(const CheckReport *report, const CheckSubject *subject, int rule, Text *text, Counts *counts)
{
    const Diagnosis *diagnosis = subject->diagnosis;
    const RuleResult *result = &diagnosis->rule[rule];
    bool is_found = false;
    if (result->outcome == RULE_UNSELECTED)
        return;
    for (int i = 0; i < diagnosis->findings; i++) {
        const Finding *finding = diagnosis->finding[i];
        if (finding->rule != rule_table[rule])
            continue;
        is_found = true;
        for (int k = 0; k < finding->layer_count; k++)
            add_finding(report, subject, finding, finding->layers[k], number_of(diagnosis, i, finding->layers[k]), text,
                        counts);
        if (!finding->layer_count)
            add_finding(report, subject, finding, NULL, number_of(diagnosis, i, NULL), text, counts);
    }
    if (is_found)
        return;
    begin_case(report, subject, NULL, rule_table[rule]->name, 1, text);
    if (result->outcome != RULE_RAN)
        text_printf(text, "<skipped message=\"%s\"/>", escaped(report->arena, result->reason));
    text_add(text, "</testcase>\n");
    counts->tests++;
    counts->skipped += result->outcome != RULE_RAN;
}

static void add_cases(const CheckReport *report, const CheckSubject *subject, Text *text, Counts *counts)
{
    for (int rule = 0; subject->diagnosis && rule < rule_count; rule++)
        add_rule(report, subject, rule, text, counts);
    if (!subject->problem)
        return;
    begin_case(report, subject, NULL, "check", 1, text);
    text_printf(text, "<error type=\"unreadable\" message=\"%s\"/></testcase>\n", escaped(report->arena, subject->problem));
    counts->tests++;
    counts->errors++;
}

static void add_suite(const CheckReport *report, const CheckSubject *subject, Text *text, Counts *total)
{
    Counts counts = {0};
    Text cases = text_new(report->arena);
    add_cases(report, subject, &cases, &counts);
    text_printf(
        text,
        "  <testsuite name=\"gradtool.check.%s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" time=\"%.3f\">\n"
        "    <properties><property name=\"gradtool.version\" value=\"%s\"/></properties>\n",
        escaped(report->arena, subject->name), counts.tests, counts.failures, counts.errors, counts.skipped, subject->seconds,
        GRADTOOL_VERSION);
    text_add(text, cases.at);
    text_add(text, "  </testsuite>\n");
    total->tests += counts.tests;
    total->failures += counts.failures;
    total->errors += counts.errors;
}

static void write(const CheckReport *report, Text *text)
{
    Counts total = {0};
    double seconds = 0;
    Text suites = text_new(report->arena);
    for (int i = 0; i < report->subjects; i++) {
        add_suite(report, &report->subject[i], &suites, &total);
        seconds += report->subject[i].seconds;
    }
    text_printf(text,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<testsuites name=\"gradtool\" tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n",
                total.tests, total.failures, total.errors, seconds);
    text_add(text, suites.at);
    text_add(text, "</testsuites>\n");
}

const CheckFormat check_format_junit = {
    .name = "junit", .help = "JUnit's XML, for Jenkins and GitLab", .is_document = true, .write = write};
