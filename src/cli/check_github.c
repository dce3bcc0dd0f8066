/* Annotations of GitHub Actions: commands to its runner, a line each. It shows ten of a kind a step, so the gravest of all
 * subjects come first, and what is left out is counted. check_output.c appends the summary. */
#include <string.h>

#include "cli/check_report.h"

enum { SHOWN = 10, LAYERS = 6 };

/* What the runner would take for the end of a value. */
static const char *escaped(Arena *arena, const char *string, bool is_property)
{
    Text text = text_new(arena);
    for (; *string; string++)
        if (*string == '%' || *string == '\r' || *string == '\n' || (is_property && (*string == ':' || *string == ',')))
            text_printf(&text, "%%%02X", (unsigned char)*string);
        else
            text_add_char(&text, *string);
    return text.at;
}

static void add_finding(const CheckReport *report, const CheckSubject *subject, const Finding *finding, Text *text)
{
    static const char *const levels[] = {"notice", "warning", "error"};
    Arena *arena = report->arena;
    CheckPlace place = check_place(report, subject, finding);
    const char *layers = check_layers_text(arena, finding, LAYERS);
    Text message = text_new(arena);
    text_printf(&message, "%s: %s%s%s%s\n", check_line(arena, subject->name), check_line(arena, finding->message),
                *layers ? " (" : "", layers, *layers ? ")" : "");
    if (finding->cause)
        text_printf(&message, "follows from %s\n", finding->cause->rule->name);
    text_printf(&message, "try: %s", check_line(arena, finding->remedy));
    for (int i = 0; i < finding->changes; i++)
        text_printf(&message, "\n%s", check_change_text(arena, finding->change[i]));
    text_printf(text, "::%s file=%s,line=%ld,col=%ld,endLine=%ld,endColumn=%ld,title=%s::%s\n", levels[finding->severity],
                escaped(arena, check_line(arena, place.uri), true), place.line, place.column, place.end_line, place.end_column,
                escaped(arena, arena_printf(arena, "gradtool (%s)", finding->rule->name), true),
                escaped(arena, message.at, false));
}

/* Of one severity, new ones; returns how many were left out. */
static int add_severity(const CheckReport *report, Severity severity, int taken, Text *text)
{
    int shown = taken, left_out = 0;
    for (int s = 0; s < report->subjects; s++) {
        const CheckSubject *subject = &report->subject[s];
        for (int i = 0; subject->diagnosis && i < subject->diagnosis->findings; i++) {
            const Finding *finding = subject->diagnosis->finding[i];
            if (finding->severity != severity || finding->is_known)
                continue;
            if (shown++ < SHOWN)
                add_finding(report, subject, finding, text);
            else
                left_out++;
        }
    }
    return left_out;
}

static void write(const CheckReport *report, Text *text)
{
    int problems = 0, left_out = 0;
    for (int s = 0; s < report->subjects; s++) {
        const CheckSubject *subject = &report->subject[s];
        if (!subject->problem)
            continue;
        CheckPlace place = check_place(report, subject, NULL);
        if (problems++ >= SHOWN)
            left_out++;
        else
            text_printf(text, "::error file=%s,title=gradtool::%s\n",
                        escaped(report->arena, check_line(report->arena, place.uri), true),
                        escaped(report->arena, check_line(report->arena, subject->problem), false));
    }
    left_out += add_severity(report, SEVERITY_ERROR, problems, text);
    left_out += add_severity(report, SEVERITY_WARNING, 0, text);
    left_out += add_severity(report, SEVERITY_INFO, 0, text);
    if (left_out)
        text_printf(text, "...and %d more, see the summary\n", left_out);
}

const CheckFormat check_format_github = {
    .name = "github", .help = "annotations and a step summary for GitHub Actions", .write = write};
