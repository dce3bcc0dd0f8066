#include "cli/verdict.h"

#include <string.h>

#include "base/file.h"
#include "cli/check_evidence.h"
#include "cli/document.h"
#include "diagnose/rule_settings.h"

static const RuleSettings *settings_of(Arena *arena, const Json *config)
{
    RuleSettings *settings = rule_settings_new(arena);
    /* They were read before the training, so they are right. */
    return rule_settings_read(settings, json_member(config, "rules"), error_new(arena)) ? settings : NULL;
}

/* The findings as the log has them: without the places in files, which are not the same where the run is made again. */
static void log_findings(Run *run, const Verdict *verdict)
{
    static const char *const keys[] = {"rule",  "severity",  "root",    "layers", "first_step", "last_step",
                                       "value", "threshold", "message", "remedy", "patch"};
    Arena *arena = verdict->report.arena;
    const Json *document = check_subject_document(&verdict->report, &verdict->subject);
    const Json *findings = json_member(document, "findings");
    for (const Json *finding = findings ? findings->first : NULL; finding; finding = finding->next) {
        Json *event = json_new(arena, JSON_OBJECT);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_add_member(arena, event, keys[i], json_copy(arena, json_member(finding, keys[i])));
        monitor_add_event(run->monitor, "finding", event);
    }
}

static void keep(Command *cmd, const Run *run, const Verdict *verdict)
{
    Error *failure = error_new(cmd->arena);
    if (!check_write_findings(&verdict->report, &verdict->subject, run->folder, failure))
        command_note(cmd, "note: %s", error_message(failure, 0));
}

Verdict *verdict_of_training(Command *cmd, Run *run)
{
    Error *failure = error_new(cmd->arena);
    GatheredEvidence *gathered = evidence_of_training(cmd, run, failure);
    const RuleSettings *settings = gathered ? settings_of(cmd->arena, gathered->config) : NULL;
    if (!settings) {
        command_note(cmd, "note: no verdict: %s", error_message(failure, 0));
        return NULL;
    }
    Verdict *verdict = ARENA_NEW(cmd->arena, Verdict);
    verdict->subject = (CheckSubject){.path = run->folder,
                                      .name = gathered->name,
                                      .record = gathered->evidence.record,
                                      .config = gathered->config,
                                      .diagnosis = diagnose(cmd->arena, &gathered->evidence, settings, NULL)};
    verdict->report = (CheckReport){.arena = cmd->arena,
                                    .subject = &verdict->subject,
                                    .subjects = 1,
                                    .level = SEVERITY_ERROR,
                                    .root = check_root(cmd->arena),
                                    .terminal = cmd->out};
    verdict->is_sick = check_is_sick(&verdict->report, &verdict->subject);
    log_findings(run, verdict);
    keep(cmd, run, verdict);
    return verdict;
}

void verdict_add_line(Command *cmd, const Verdict *verdict, Text *text)
{
    const Terminal *out = &cmd->out;
    const Diagnosis *diagnosis = verdict->subject.diagnosis;
    const Finding *root = diagnosis->findings ? diagnosis->finding[0] : NULL;
    bool has_warning = diagnosis_count(diagnosis, SEVERITY_WARNING) > 0;
    const char *colour = verdict->is_sick ? terminal_red(out) : has_warning ? terminal_yellow(out) : terminal_green(out);
    const char *mark = verdict->is_sick ? (out->is_ascii ? "FAIL:" : "\xe2\x9c\x96")
                       : has_warning    ? (out->is_ascii ? "warn:" : "\xe2\x9a\xa0")
                                        : (out->is_ascii ? "ok:" : "\xe2\x9c\x94");
    text_printf(text, "%s%s %s%s  %s", colour, mark, verdict->is_sick ? "sick" : "healthy", terminal_plain(out),
                check_counts_text(cmd->arena, diagnosis));
    if (root && (verdict->is_sick || has_warning))
        text_printf(text, "  %s: %s", root->rule->name, root->message);
    text_add_char(text, '\n');
}
