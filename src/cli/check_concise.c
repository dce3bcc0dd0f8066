/* A line a finding, as compilers print theirs. */
#include <string.h>

#include "cli/check_report.h"

enum { LAYERS = 3 };

static void add_place(const CheckReport *report, const CheckSubject *subject, const Finding *finding, Text *text)
{
    CheckPlace place = check_place(report, subject, finding);
    const char *file = check_line(report->arena, place.file);
    text_printf(text, "%s%s", !strncmp(file, "::", 2) ? "./" : "", file);
    if (subject->config || report->annotate)
        text_printf(text, ":%ld:%ld", place.line, place.column);
}

static void write(const CheckReport *report, Text *text)
{
    for (int s = 0; s < report->subjects; s++) {
        const CheckSubject *subject = &report->subject[s];
        if (subject->problem) {
            text_printf(text, "%s: error: %s\n", check_line(report->arena, subject->path),
                        check_line(report->arena, subject->problem));
            continue;
        }
        for (int i = 0; i < subject->diagnosis->findings; i++) {
            const Finding *finding = subject->diagnosis->finding[i];
            const char *layers = check_layers_text(report->arena, finding, LAYERS);
            add_place(report, subject, finding, text);
            text_printf(text, ": %s %s%s%s: %s%s%s\n", severity_name(finding->severity), finding->rule->name,
                        *layers ? " " : "", layers, check_line(report->arena, finding->message),
                        finding->cause ? arena_printf(report->arena, " (follows from %s)", finding->cause->rule->name) : "",
                        finding->is_known ? " (known)" : "");
        }
        if (!subject->diagnosis->findings)
            text_printf(text, "%s: healthy\n", check_line(report->arena, subject->path));
    }
}

const CheckFormat check_format_concise = {.name = "concise", .help = "a line a finding", .write = write};
