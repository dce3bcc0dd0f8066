/* For people: the layers at a glance, the cause with what follows from it, the verdict. */
#include <math.h>
#include <string.h>

#include "cli/check_report.h"
#include "cli/figures.h"
#include "cli/table.h"
#include "diagnose/robust.h"

enum { ROWS = 24, LAYERS = 6, PATCH = 160 };

static const char *colour_of(const Terminal *terminal, Severity severity)
{
    return severity == SEVERITY_ERROR     ? terminal_red(terminal)
           : severity == SEVERITY_WARNING ? terminal_yellow(terminal)
                                          : terminal_dim(terminal);
}

static const char *mark_of(const Terminal *terminal, Severity severity)
{
    static const char *const marks[] = {"\xc2\xb7", "\xe2\x9a\xa0", "\xe2\x9c\x96"}, *const words[] = {
                                                                                         "note:", "warn:", "FAIL:"};
    return (terminal->is_ascii ? words : marks)[severity];
}

static const char *fine_mark(const Terminal *terminal)
{
    return terminal->is_ascii ? "ok" : "\xe2\x9c\x94";
}

static void add_layers(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    const Terminal *terminal = &report->terminal;
    int count;
    CheckLayer *layers = check_layers(report->arena, subject, terminal->is_ascii, &count);
    if (!count)
        return;
    Table table = table_new(report->arena, "llrlll");
    const char *const heads[] = {"", "layer", "|grad| median", "", "over time", "verdict"};
    for (int i = 0; i < 6; i++)
        table_add(&table, heads[i]);
    for (int i = 0; i < count; i++) {
        char figures[FIGURE_SIZE];
        if (i == ROWS / 2 && count > ROWS) {
            i = count - ROWS / 2;
            table_add(&table, "");
            table_printf(&table, "(%d more)", count - ROWS);
            for (int k = 2; k < 6; k++)
                table_add(&table, "");
        }
        const Finding *worst = layers[i].worst;
        table_add(&table, "");
        table_add(&table, layers[i].name);
        table_add(&table, isnan(layers[i].median) ? "-" : arena_strdup(report->arena, figure(figures, layers[i].median, 3)));
        table_add(&table, layers[i].bar);
        table_add(&table, layers[i].over_time);
        if (worst)
            table_printf(&table, "%s %s", mark_of(terminal, worst->severity), worst->rule->name);
        else
            table_add(&table, fine_mark(terminal));
    }
    table_write(&table, text);
}

static void add_title(const CheckReport *report, const Finding *finding, Text *text)
{
    text_printf(text, "%s%s[%s]%s: %s%s\n", colour_of(&report->terminal, finding->severity), severity_name(finding->severity),
                finding->rule->name, terminal_plain(&report->terminal), check_line(report->arena, finding->message),
                finding->is_known ? " (known)" : "");
}

/* What is to be changed: assignments where they say it all, else the merge-patch where it is short. */
static void add_change(const CheckReport *report, const Finding *finding, Text *text)
{
    text_printf(text, "  try: %s\n", check_line(report->arena, finding->remedy));
    for (int i = 0; i < finding->changes; i++)
        text_printf(text, "       %s\n", check_change_text(report->arena, finding->change[i]));
    if (finding->changes || !finding->patch->count)
        return;
    Text patch = text_new(report->arena);
    json_write(&patch, finding->patch, -1);
    text_printf(text, "       merge-patch: %s\n", patch.length <= PATCH ? patch.at : "see --format json");
}

static void add_finding(const CheckReport *report, const CheckSubject *subject, const Finding *finding, Text *text)
{
    CheckPlace place = check_place(report, subject, finding);
    const char *layers = check_layers_text(report->arena, finding, LAYERS);
    add_title(report, finding, text);
    text_printf(text, "  --> %s", check_line(report->arena, place.file));
    if (subject->config || report->annotate)
        text_printf(text, ":%ld:%ld%s%s", place.line, place.column, *place.key ? " " : "",
                    check_line(report->arena, place.key));
    text_printf(text, "\n  %s%s%s\n", layers, *layers ? "   " : "", check_steps_text(report->arena, finding));
    if (finding->consequence)
        text_printf(text, "  so: %s\n", check_line(report->arena, finding->consequence));
    add_change(report, finding, text);
    text_printf(text, "  %sgradtool explain %s%s\n", terminal_dim(&report->terminal), finding->rule->name,
                terminal_plain(&report->terminal));
}

/* A cause in full; behind it, in a line each, what follows from it. */
static void add_findings(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    const Finding *above = NULL;
    for (int i = 0; i < subject->diagnosis->findings; i++) {
        const Finding *finding = subject->diagnosis->finding[i];
        if (!finding->cause) {
            text_add_char(text, '\n');
            add_finding(report, subject, finding, text);
        } else {
            int depth = 0;
            for (const Finding *cause = finding->cause; cause; cause = cause->cause)
                depth++;
            if (above && !above->cause)
                text_add(text, "  because of it:\n");
            text_printf(text, "%*s", 2 + 2 * depth, "");
            add_title(report, finding, text);
        }
        above = finding;
    }
}

/* "spread 0.4 decades, max/median 9.1" */
static void add_health(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    int count;
    char figures[FIGURE_SIZE];
    const CheckLayer *layers = check_layers(report->arena, subject, true, &count);
    double low = NAN, high = NAN;
    for (int i = 0; i < count; i++)
        if (layers[i].median > 0) {
            low = fmin(low, layers[i].median);
            high = fmax(high, layers[i].median);
        }
    if (low > 0)
        text_printf(text, ", spread %.1f decades", log10(high / low));
    RecordSeries norm = record_scalar(subject->record, RECORD_GRAD_NORM);
    double ratio = series_maximum(norm) / series_median(norm);
    if (isfinite(ratio))
        text_printf(text, ", max/median %s", figure(figures, ratio, 2));
}

static void add_verdict(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    const Terminal *terminal = &report->terminal;
    const Diagnosis *diagnosis = subject->diagnosis;
    if (check_is_sick(report, subject)) {
        text_printf(text, "%s%s sick%s  %s\n", terminal_red(terminal), mark_of(terminal, SEVERITY_ERROR),
                    terminal_plain(terminal), check_counts_text(report->arena, diagnosis));
        return;
    }
    text_printf(text, "%s%s healthy%s  %s", terminal_green(terminal), fine_mark(terminal), terminal_plain(terminal),
                figure_of(report->arena, diagnosis->ran, "rule"));
    if (subject->record) {
        text_printf(text, ", %s", figure_of(report->arena, (double)subject->record->steps, "step"));
        add_health(report, subject, text);
    }
    if (diagnosis->findings)
        text_printf(text, "; %s", check_counts_text(report->arena, diagnosis));
    text_add_char(text, '\n');
}

/* No line may begin with what a name begins with: two colons there are a command to GitHub's runner. */
static const char *at_start(Arena *arena, const char *name)
{
    const char *line = check_line(arena, name);
    return !strncmp(line, "::", 2) ? arena_printf(arena, " %s", line) : line;
}

static void add_subject(const CheckReport *report, const CheckSubject *subject, Text *text)
{
    const Terminal *terminal = &report->terminal;
    text_printf(text, "%s%s%s", terminal_bold(terminal), at_start(report->arena, subject->name), terminal_plain(terminal));
    if (strcmp(subject->path, subject->name) != 0)
        text_printf(text, "  %s", check_line(report->arena, subject->path));
    if (subject->problem) {
        text_printf(text, "\n%s%s could not be checked%s: %s\n", terminal_red(terminal), mark_of(terminal, SEVERITY_ERROR),
                    terminal_plain(terminal), check_line(report->arena, subject->problem));
        return;
    }
    if (subject->record)
        text_printf(text, "  %s", check_line(report->arena, check_record_text(report->arena, subject->record)));
    text_add_char(text, '\n');
    if (subject->diagnosis->findings) {
        add_layers(report, subject, text);
        add_findings(report, subject, text);
        text_add_char(text, '\n');
    }
    add_verdict(report, subject, text);
}

/* How often each rule fired, over all subjects. */
static void add_statistics(const CheckReport *report, Text *text)
{
    Table table = table_new(report->arena, "rll");
    for (int rule = 0; rule < rule_count; rule++) {
        int count = 0;
        for (int s = 0; s < report->subjects; s++)
            for (int i = 0; report->subject[s].diagnosis && i < report->subject[s].diagnosis->findings; i++)
                count += report->subject[s].diagnosis->finding[i]->rule == rule_table[rule];
        if (!count)
            continue;
        table_printf(&table, "%d", count);
        table_add(&table, rule_table[rule]->name);
        table_add(&table, rule_table[rule]->summary);
    }
    text_add(text, table.count ? "\n" : "\nno rule fired\n");
    table_write(&table, text);
}

static void write(const CheckReport *report, Text *text)
{
    for (int i = 0; i < report->subjects; i++) {
        text_add(text, i ? "\n" : "");
        add_subject(report, &report->subject[i], text);
    }
    if (report->has_statistics)
        add_statistics(report, text);
    if (report->subjects < 2)
        return;
    int sick = check_sick_subjects(report), unknown = check_problems(report);
    text_printf(text, "\n%d of %d sick", sick, report->subjects);
    text_add(text, unknown ? arena_printf(report->arena, ", %d could not be checked\n", unknown) : "\n");
}

const CheckFormat check_format_text = {
    .name = "text", .help = "for people: layers, the cause, what follows, what to change", .write = write};
