/* The contract's document: of one subject its object, of several a list of them. */
#include "base/file.h"
#include "cli/check_report.h"
#include "cli/document.h"

static void add_bool(Arena *arena, Json *object, const char *key, bool value)
{
    document_add(arena, object, key, JSON_BOOL)->number = value;
}

static void add_strings(Arena *arena, Json *object, const char *key, const char *const strings[], int count)
{
    Json *list = document_add(arena, object, key, JSON_ARRAY);
    for (int i = 0; i < count; i++)
        json_add_item(list, json_new_string(arena, strings[i]));
}

static void add_place(const CheckReport *report, const CheckSubject *subject, const Finding *finding, Json *object)
{
    Arena *arena = report->arena;
    CheckPlace place = check_place(report, subject, finding);
    Json *location = document_add(arena, object, "location", JSON_OBJECT);
    document_add_string(arena, location, "file", place.file);
    document_add_number(arena, location, "line", (double)place.line);
    document_add_number(arena, location, "column", (double)place.column);
    document_add_string(arena, location, "key", place.key);
}

static Json *finding_document(const CheckReport *report, const CheckSubject *subject, const Finding *finding)
{
    Arena *arena = report->arena;
    Json *object = json_new(arena, JSON_OBJECT);
    document_add_string(arena, object, "rule", finding->rule->name);
    document_add_string(arena, object, "severity", severity_name(finding->severity));
    add_bool(arena, object, "root", finding->is_root);
    document_add_string(arena, object, "cause", finding->cause ? finding->cause->rule->name : NULL);
    add_strings(arena, object, "layers", finding->layers, finding->layer_count);
    document_add_number(arena, object, "first_step", (double)finding->first_step);
    document_add_number(arena, object, "last_step", (double)finding->last_step);
    document_add_number(arena, object, "value", finding->value);
    document_add_number(arena, object, "threshold", finding->threshold);
    document_add_string(arena, object, "message", finding->message);
    document_add_string(arena, object, "consequence", finding->consequence);
    document_add_string(arena, object, "remedy", finding->remedy);
    json_add_member(arena, object, "patch", json_copy(arena, finding->patch));
    add_strings(arena, object, "set", finding->change, finding->changes);
    add_bool(arena, object, "known", finding->is_known);
    document_add_string(arena, object, "group", rule_group_name(finding->rule->group));
    document_add_string(arena, object, "stage", rule_stage_name(finding->rule->stage));
    add_place(report, subject, finding, object);
    document_add_string(arena, object, "fingerprint", finding->fingerprint);
    return object;
}

static void add_rules(Arena *arena, Json *object, const Diagnosis *diagnosis)
{
    Json *checked = document_add(arena, object, "checked", JSON_ARRAY);
    Json *skipped = document_add(arena, object, "skipped", JSON_ARRAY);
    for (int i = 0; i < rule_count; i++) {
        if (diagnosis->rule[i].outcome == RULE_RAN) {
            json_add_item(checked, json_new_string(arena, rule_table[i]->name));
            continue;
        }
        Json *rule = json_new(arena, JSON_OBJECT);
        document_add_string(arena, rule, "rule", rule_table[i]->name);
        document_add_string(arena, rule, "reason", diagnosis->rule[i].reason);
        json_add_item(skipped, rule);
    }
}

Json *check_subject_document(const CheckReport *report, const CheckSubject *subject)
{
    Arena *arena = report->arena;
    const Record *record = subject->record;
    Json *object = json_new(arena, JSON_OBJECT);
    document_add_string(arena, object, "verdict", check_verdict(report, subject));
    document_add_string(arena, object, "path", subject->path);
    document_add_string(arena, object, "name", subject->name);
    if (subject->problem) {
        document_add_string(arena, object, "error", subject->problem);
        return object;
    }
    Json *findings = document_add(arena, object, "findings", JSON_ARRAY);
    for (int i = 0; i < subject->diagnosis->findings; i++)
        json_add_item(findings, finding_document(report, subject, subject->diagnosis->finding[i]));
    if (record) {
        document_add_string(arena, object, "source", record->kind);
        document_add_number(arena, object, "steps", (double)record->steps);
        document_add_string(arena, object, "status", *record->status ? record->status : NULL);
    }
    add_rules(arena, object, subject->diagnosis);
    return object;
}

bool check_write_findings(const CheckReport *report, const CheckSubject *subject, const char *folder, Error *err)
{
    Text text = text_new(report->arena);
    json_write(&text, check_subject_document(report, subject), 0);
    text_add_char(&text, '\n');
    return file_write(path_join(report->arena, folder, "findings.json"), text.at, text.length, err);
}

static void write(const CheckReport *report, Text *text)
{
    Arena *arena = report->arena;
    Json *document;
    if (report->subjects == 1) {
        document = check_subject_document(report, &report->subject[0]);
    } else {
        document = json_new(arena, JSON_OBJECT);
        document_add_string(arena, document, "verdict", check_verdict_of_all(report));
        Json *results = document_add(arena, document, "results", JSON_ARRAY);
        for (int i = 0; i < report->subjects; i++)
            json_add_item(results, check_subject_document(report, &report->subject[i]));
    }
    json_write(text, document, 0);
    text_add_char(text, '\n');
}

const CheckFormat check_format_json = {
    .name = "json", .help = "all there is, as one document", .is_document = true, .write = write};
