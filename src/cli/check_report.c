#include "cli/check_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "cli/figures.h"

#define CHECK_FORMAT(name) extern const CheckFormat check_format_##name;
#include "cli/check_formats.def"

const CheckFormat *const check_format_table[] = {
#define CHECK_FORMAT(name) &check_format_##name,
#include "cli/check_formats.def"
};
const int check_format_count = sizeof check_format_table / sizeof *check_format_table;

const CheckFormat *check_format_find(const char *name, Error *err)
{
    const char *names[sizeof check_format_table / sizeof *check_format_table];
    for (int i = 0; i < check_format_count; i++) {
        names[i] = check_format_table[i]->name;
        if (!strcmp(names[i], name))
            return check_format_table[i];
    }
    error_add(err, "there is no format `%s`", name);
    if (text_nearest(name, names, check_format_count))
        error_suggest(err, name, names, check_format_count);
    else
        error_hint(err, "gradtool list formats prints them");
    return NULL;
}

bool check_fails(const CheckReport *report, const Finding *finding)
{
    return finding->severity >= report->level && !finding->is_known;
}

bool check_is_sick(const CheckReport *report, const CheckSubject *subject)
{
    for (int i = 0; subject->diagnosis && i < subject->diagnosis->findings; i++)
        if (check_fails(report, subject->diagnosis->finding[i]))
            return true;
    return false;
}

int check_sick_subjects(const CheckReport *report)
{
    int count = 0;
    for (int i = 0; i < report->subjects; i++)
        count += check_is_sick(report, &report->subject[i]);
    return count;
}

int check_problems(const CheckReport *report)
{
    int count = 0;
    for (int i = 0; i < report->subjects; i++)
        count += report->subject[i].problem != NULL;
    return count;
}

const char *check_verdict(const CheckReport *report, const CheckSubject *subject)
{
    return subject->problem ? "unknown" : check_is_sick(report, subject) ? "sick" : "healthy";
}

const char *check_verdict_of_all(const CheckReport *report)
{
    return check_sick_subjects(report) ? "sick" : check_problems(report) ? "unknown" : "healthy";
}

const char *check_fingerprint(const CheckReport *report, const CheckSubject *subject, const Finding *finding)
{
    const char *both = arena_printf(report->arena, "%s\n%s", subject->name, finding->fingerprint);
    return arena_printf(report->arena, "%016" PRIx64, random_hash(both));
}

const char *check_line(Arena *arena, const char *text)
{
    Text line = text_new(arena);
    size_t left = strlen(text);
    while (left > 0) {
        int length = text_utf8_length(text, left);
        bool is_shown = length > 0 && (unsigned char)*text >= 0x20 && *text != 0x7f;
        is_shown = is_shown && !((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0); /* C1 controls */
        if (is_shown)
            text_add_bytes(&line, text, (size_t)length);
        else
            text_add_char(&line, length ? ' ' : '?');
        text += length ? length : 1;
        left -= length ? (size_t)length : 1;
    }
    return line.at;
}

const char *check_layers_text(Arena *arena, const Finding *finding, int most)
{
    Text text = text_new(arena);
    int shown = finding->layer_count > most ? most - 1 : finding->layer_count;
    for (int i = 0; i < shown; i++)
        text_printf(&text, "%s%s", i ? ", " : "", check_line(arena, finding->layers[i]));
    if (shown < finding->layer_count)
        text_printf(&text, " and %d more", finding->layer_count - shown);
    return text.at;
}

const char *check_steps_text(Arena *arena, const Finding *finding)
{
    if (finding->last_step <= 0)
        return "before training";
    if (finding->first_step >= finding->last_step)
        return arena_printf(arena, "step %lld", (long long)finding->first_step);
    return arena_printf(arena, "steps %lld to %lld", (long long)finding->first_step, (long long)finding->last_step);
}

const char *check_record_text(Arena *arena, const Record *record)
{
    if (!record)
        return "";
    const char *of =
        record->layers ? figure_of(arena, record->layers, "layer") : figure_of(arena, record->parameters, "parameter");
    return arena_printf(arena, "%s, %s, %s", record->kind, figure_of(arena, (double)record->steps, "step"), of);
}

const char *check_counts_text(Arena *arena, const Diagnosis *diagnosis)
{
    Text text = text_new(arena);
    int errors = diagnosis_count(diagnosis, SEVERITY_ERROR), warnings = diagnosis_count(diagnosis, SEVERITY_WARNING);
    int notes = diagnosis_count(diagnosis, SEVERITY_INFO), known = diagnosis->findings - errors - warnings - notes;
    text_printf(&text, "%s, %s", figure_of(arena, errors, "error"), figure_of(arena, warnings, "warning"));
    if (notes)
        text_printf(&text, ", %s", figure_of(arena, notes, "note"));
    if (known)
        text_printf(&text, ", %d known", known);
    return text.at;
}

const char *check_change_text(Arena *arena, const char *change)
{
    return arena_printf(arena, "--set %s", figure_word(arena, change));
}
