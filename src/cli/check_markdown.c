/* Markdown: a page for a merge request, and the step summary of GitHub Actions. */
#include <math.h>
#include <string.h>

#include "cli/check_report.h"
#include "cli/figures.h"

enum { ROWS = 40, LAYERS = 6 };

/* Text of others as text: in a table, too. */
static const char *escaped(Arena *arena, const char *string)
{
    Text text = text_new(arena);
    for (const char *at = check_line(arena, string); *at; at++) {
        if (*at == '&')
            text_add(&text, "&amp;");
        else if (*at == '<')
            text_add(&text, "&lt;");
        else {
            if (strchr("\\`*_[]|~", *at))
                text_add_char(&text, '\\');
            text_add_char(&text, *at);
        }
    }
    return text.at;
}

/* As code: within it only its own quotes, and the bars of a table, would be read. */
static const char *code(Arena *arena, const char *string)
{
    char *text = arena_printf(arena, "`%s`", check_line(arena, string));
    for (char *at = text + 1; at[1]; at++)
        *at = (char)(*at == '`' ? '\'' : *at == '|' ? '/' : *at);
    return text;
}

static const char *mark(const CheckReport *report, const CheckSubject *subject)
{
    return subject->problem ? "\xe2\x9a\xa0" : check_is_sick(report, subject) ? "\xe2\x9d\x8c" : "\xe2\x9c\x85";
}

static void add_overview(const CheckReport *report, Text *text)
{
    Arena *arena = report->arena;
    text_add(text, "| | subject | verdict | root cause | findings |\n|---|---|---|---|---|\n");
    for (int i = 0; i < report->subjects; i++) {
        const CheckSubject *subject = &report->subject[i];
        const Diagnosis *diagnosis = subject->diagnosis;
        bool has_root = diagnosis && check_is_sick(report, subject);
        text_printf(text, "| %s | %s | %s | %s | %s |\n", mark(report, subject), code(arena, subject->path),
                    check_verdict(report, subject), has_root ? code(arena, diagnosis->finding[0]->rule->name) : "",
                    diagnosis ? check_counts_text(arena, diagnosis) : escaped(arena, subject->problem));
    }
    text_add_char(text, '\n');
}

static void add_change(Arena *arena, const Finding *finding, Text *text)
{
    text_add(text, escaped(arena, finding->remedy));
    for (int i = 0; i < finding->changes; i++)
        text_printf(text, "<br>%s", code(arena, check_change_text(arena, finding->change[i])));
}

static void add_findings(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    Arena *arena = report->arena;
    text_add(text, "| severity | rule | what | where | what to change |\n|---|---|---|---|---|\n");
    for (int i = 0; i < subject->diagnosis->findings; i++) {
        const Finding *finding = subject->diagnosis->finding[i];
        CheckPlace place = check_place(report, subject, finding);
        const char *layers = check_layers_text(arena, finding, LAYERS);
        text_printf(text, "| %s%s%s | %s%s | %s | %s%s%s<br>%s | ", severity_name(finding->severity),
                    finding->is_root && check_is_sick(report, subject) ? ", **root cause**" : "",
                    finding->is_known ? ", known" : "", finding->cause ? "\xe2\x86\xb3 " : "", code(arena, finding->rule->name),
                    escaped(arena, finding->message), *layers ? code(arena, layers) : "", *layers ? ", " : "",
                    check_steps_text(arena, finding),
                    code(arena, arena_printf(arena, "%s:%ld%s%s", place.file, place.line, *place.key ? " " : "", place.key)));
        add_change(arena, finding, text);
        text_add(text, " |\n");
    }
    text_add_char(text, '\n');
}

static void add_layers(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    Arena *arena = report->arena;
    int count;
    CheckLayer *layers = check_layers(arena, subject, false, &count);
    if (!count)
        return;
    text_add(text, "| layer | gradient norm, median | | over time | verdict |\n|---|--:|---|---|---|\n");
    for (int i = 0; i < count; i++) {
        char figures[FIGURE_SIZE];
        if (i == ROWS / 2 && count > ROWS) {
            i = count - ROWS / 2;
            text_printf(text, "| (%d more) | | | | |\n", count - ROWS);
        }
        const CheckLayer *layer = &layers[i];
        text_printf(text, "| %s | %s | %s | %s | %s |\n", code(arena, layer->name),
                    isnan(layer->median) ? "" : figure(figures, layer->median, 3), layer->bar, layer->over_time,
                    layer->worst ? code(arena, layer->worst->rule->name) : "\xe2\x9c\x93");
    }
    text_add_char(text, '\n');
}

static void write(const CheckReport *report, Text *text)
{
    Arena *arena = report->arena;
    text_printf(text, "## gradtool: %s\n\n", check_verdict_of_all(report));
    add_overview(report, text);
    for (int i = 0; i < report->subjects; i++) {
        const CheckSubject *subject = &report->subject[i];
        if (subject->problem || !subject->diagnosis->findings)
            continue;
        text_printf(text, "### %s\n\n", escaped(arena, subject->name));
        if (subject->record)
            text_printf(text, "%s\n\n", escaped(arena, check_record_text(arena, subject->record)));
        add_findings(report, subject, text);
        add_layers(report, subject, text);
    }
}

const CheckFormat check_format_markdown = {.name = "markdown", .help = "a page for a merge request", .write = write};
