/* GitLab's code quality report: a list of what is wrong, told apart by fingerprints that no number changes. */
#include "cli/check_report.h"
#include "cli/document.h"

static Json *entry(Arena *arena, const char *description, const char *rule, const char *fingerprint, const char *severity,
                   const CheckPlace *place)
{
    Json *object = json_new(arena, JSON_OBJECT);
    document_add_string(arena, object, "description", description);
    document_add_string(arena, object, "check_name", rule);
    document_add_string(arena, object, "fingerprint", fingerprint);
    document_add_string(arena, object, "severity", severity);
    Json *location = document_add(arena, object, "location", JSON_OBJECT);
    document_add_string(arena, location, "path", place->uri);
    document_add_number(arena, document_add(arena, location, "lines", JSON_OBJECT), "begin", (double)place->line);
    return object;
}

static void write(const CheckReport *report, Text *text)
{
    static const char *const severities[] = {"minor", "major", "critical"};
    Arena *arena = report->arena;
    Json *list = json_new(arena, JSON_ARRAY);
    for (int s = 0; s < report->subjects; s++) {
        const CheckSubject *subject = &report->subject[s];
        for (int i = 0; subject->diagnosis && i < subject->diagnosis->findings; i++) {
            const Finding *finding = subject->diagnosis->finding[i];
            const char *layers = check_layers_text(arena, finding, 3);
            CheckPlace place = check_place(report, subject, finding);
            const char *description = arena_printf(arena, "%s: %s%s%s%s", subject->name, check_line(arena, finding->message),
                                                   *layers ? " (" : "", layers, *layers ? ")" : "");
            json_add_item(list, entry(arena, description, finding->rule->name, check_fingerprint(report, subject, finding),
                                      severities[finding->severity], &place));
        }
        if (!subject->problem)
            continue;
        CheckPlace place = check_place(report, subject, NULL);
        const char *description = arena_printf(arena, "%s could not be checked: %s", subject->name, subject->problem);
        Finding nothing = {.fingerprint = "could not be checked"};
        json_add_item(list, entry(arena, check_line(arena, description), "check", check_fingerprint(report, subject, &nothing),
                                  "blocker", &place));
    }
    json_write(text, list, 0);
    text_add_char(text, '\n');
}

const CheckFormat check_format_gitlab = {
    .name = "gitlab", .help = "GitLab's code quality report", .is_document = true, .write = write};
