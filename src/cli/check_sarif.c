/* SARIF 2.1.0 (OASIS), with what GitHub's code scanning asks for in addition: texts of every rule, a place and a fingerprint of
 * every result, paths relative to the repository. One run holds all subjects, for there may be no more than twenty. */
#include <string.h>

#include "cli/check_report.h"
#include "cli/document.h"

enum { TEXT_LIMIT = 1024 };

static const char *level_name(Severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[severity];
}

static Json *add_text(Arena *arena, Json *object, const char *key, const char *text)
{
    Json *message = document_add(arena, object, key, JSON_OBJECT);
    document_add_string(arena, message, "text", text);
    return message;
}

/* At most `limit` bytes, cut between characters. */
static const char *cut(Arena *arena, const char *text, size_t limit)
{
    size_t length = strlen(text);
    if (length <= limit)
        return text;
    for (length = limit - 3; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return arena_printf(arena, "%.*s...", (int)length, text);
}

static Json *rule_document(Arena *arena, const Rule *rule)
{
    static const char *const problem[] = {"recommendation", "warning", "error"};
    Json *object = json_new(arena, JSON_OBJECT);
    document_add_string(arena, object, "id", rule->name);
    add_text(arena, object, "shortDescription", cut(arena, rule->summary, TEXT_LIMIT));
    add_text(arena, object, "fullDescription", cut(arena, rule->definition, TEXT_LIMIT));
    const char *plain = arena_printf(arena, "%s.\n\nSo: %s.\n\nTry: %s.\n\nFalse alarms: %s.\n\nSource: %s.", rule->definition,
                                     rule->consequence, rule->remedy, rule->false_alarms, rule->source);
    document_add_string(arena, add_text(arena, object, "help", plain), "markdown",
                        arena_printf(arena, "%s.\n\n**So** %s.\n\n**Try** %s.\n\n**False alarms** %s.\n\n**Source** %s.",
                                     rule->definition, rule->consequence, rule->remedy, rule->false_alarms, rule->source));
    document_add_string(arena, document_add(arena, object, "defaultConfiguration", JSON_OBJECT), "level",
                        level_name(rule->severity));
    Json *properties = document_add(arena, object, "properties", JSON_OBJECT);
    document_add_string(arena, properties, "precision", "high");
    document_add_string(arena, properties, "problem.severity", problem[rule->severity]);
    json_add_item(document_add(arena, properties, "tags", JSON_ARRAY), json_new_string(arena, rule_group_name(rule->group)));
    return object;
}

/* A path as a URI: everything but what RFC 3986 leaves alone becomes %XX. */
static const char *uri_of(Arena *arena, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    Text text = text_new(arena);
    for (; *path; path++)
        if (strchr(plain, *path))
            text_add_char(&text, *path);
        else
            text_printf(&text, "%%%02X", (unsigned char)*path);
    return text.at;
}

static void add_location(const CheckReport *report, const CheckSubject *subject, const Finding *finding, Json *result)
{
    Arena *arena = report->arena;
    CheckPlace place = check_place(report, subject, finding);
    Json *location = json_new(arena, JSON_OBJECT);
    Json *physical = document_add(arena, location, "physicalLocation", JSON_OBJECT);
    Json *artifact = document_add(arena, physical, "artifactLocation", JSON_OBJECT);
    document_add_string(arena, artifact, "uri", uri_of(arena, place.uri));
    document_add_string(arena, artifact, "uriBaseId", "%SRCROOT%");
    Json *region = document_add(arena, physical, "region", JSON_OBJECT);
    document_add_number(arena, region, "startLine", (double)place.line);
    document_add_number(arena, region, "startColumn", (double)place.column);
    document_add_number(arena, region, "endLine", (double)place.end_line);
    document_add_number(arena, region, "endColumn", (double)place.end_column);
    if (finding->layer_count) {
        Json *logical = document_add(arena, location, "logicalLocations", JSON_ARRAY);
        for (int i = 0; i < finding->layer_count; i++) {
            Json *layer = json_new(arena, JSON_OBJECT);
            document_add_string(arena, layer, "fullyQualifiedName", finding->layers[i]);
            document_add_string(arena, layer, "kind", "variable");
            json_add_item(logical, layer);
        }
    }
    json_add_item(document_add(arena, result, "locations", JSON_ARRAY), location);
}

static int rule_index(const Rule *rule)
{
    int index = 0;
    while (index < rule_count && rule_table[index] != rule)
        index++;
    return index;
}

static Json *result_document(const CheckReport *report, const CheckSubject *subject, const Finding *finding)
{
    Arena *arena = report->arena;
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_string(arena, result, "ruleId", finding->rule->name);
    document_add_number(arena, result, "ruleIndex", rule_index(finding->rule));
    document_add_string(arena, result, "level", level_name(finding->severity));
    const char *layers = check_layers_text(arena, finding, 6);
    add_text(arena, result, "message",
             arena_printf(arena, "%s: %s%s%s%s. Try: %s", subject->name, check_line(arena, finding->message),
                          *layers ? " (" : "", layers, *layers ? ")" : "", check_line(arena, finding->remedy)));
    add_location(report, subject, finding, result);
    document_add_string(arena, document_add(arena, result, "partialFingerprints", JSON_OBJECT), "primaryLocationLineHash",
                        arena_printf(arena, "%s:1", check_fingerprint(report, subject, finding)));
    if (report->has_baseline)
        document_add_string(arena, result, "baselineState", finding->is_known ? "unchanged" : "new");
    Json *properties = document_add(arena, result, "properties", JSON_OBJECT);
    document_add(arena, properties, "root", JSON_BOOL)->number = finding->is_root;
    document_add_string(arena, properties, "cause", finding->cause ? finding->cause->rule->name : NULL);
    document_add_number(arena, properties, "first_step", (double)finding->first_step);
    document_add_number(arena, properties, "last_step", (double)finding->last_step);
    document_add_number(arena, properties, "value", finding->value);
    document_add_number(arena, properties, "threshold", finding->threshold);
    json_add_member(arena, properties, "patch", json_copy(arena, finding->patch));
    return result;
}

/* That the tool ran, and what it could not read. */
static void add_invocation(const CheckReport *report, Json *run)
{
    Arena *arena = report->arena;
    Json *invocation = json_new(arena, JSON_OBJECT);
    document_add(arena, invocation, "executionSuccessful", JSON_BOOL)->number = check_problems(report) == 0;
    Json *notes = document_add(arena, invocation, "toolExecutionNotifications", JSON_ARRAY);
    for (int i = 0; i < report->subjects; i++)
        if (report->subject[i].problem) {
            Json *note = json_new(arena, JSON_OBJECT);
            document_add_string(arena, note, "level", "error");
            add_text(arena, note, "message",
                     arena_printf(arena, "%s: %s", report->subject[i].path, report->subject[i].problem));
            json_add_item(notes, note);
        }
    json_add_item(document_add(arena, run, "invocations", JSON_ARRAY), invocation);
}

static void add_tool(const CheckReport *report, Json *run)
{
    Arena *arena = report->arena;
    Json *driver = document_add(arena, document_add(arena, run, "tool", JSON_OBJECT), "driver", JSON_OBJECT);
    document_add_string(arena, driver, "name", "gradtool");
    document_add_string(arena, driver, "version", GRADTOOL_VERSION);
    document_add_string(arena, driver, "semanticVersion", GRADTOOL_VERSION);
    Json *rules = document_add(arena, driver, "rules", JSON_ARRAY);
    for (int i = 0; i < rule_count; i++)
        json_add_item(rules, rule_document(arena, rule_table[i]));
}

static void write(const CheckReport *report, Text *text)
{
    Arena *arena = report->arena;
    Json *document = json_new(arena, JSON_OBJECT), *run = json_new(arena, JSON_OBJECT);
    document_add_string(arena, document, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    document_add_string(arena, document, "version", "2.1.0");
    json_add_item(document_add(arena, document, "runs", JSON_ARRAY), run);
    add_tool(report, run);
    const char *subject = report->subjects == 1 ? report->subject[0].name : "check";
    document_add_string(arena, document_add(arena, run, "automationDetails", JSON_OBJECT), "id",
                        arena_printf(arena, "gradtool/%s/", subject));
    Json *base = document_add(arena, document_add(arena, run, "originalUriBaseIds", JSON_OBJECT), "%SRCROOT%", JSON_OBJECT);
    add_text(arena, base, "description", "the root of the repository");
    document_add_string(arena, run, "columnKind", "unicodeCodePoints");
    add_invocation(report, run);
    Json *results = document_add(arena, run, "results", JSON_ARRAY);
    for (int s = 0; s < report->subjects; s++) {
        const CheckSubject *of = &report->subject[s];
        for (int i = 0; of->diagnosis && i < of->diagnosis->findings; i++)
            json_add_item(results, result_document(report, of, of->diagnosis->finding[i]));
    }
    json_write(text, document, 0);
    text_add_char(text, '\n');
}

const CheckFormat check_format_sarif = {
    .name = "sarif", .help = "SARIF 2.1.0, for code scanning", .is_document = true, .write = write};
