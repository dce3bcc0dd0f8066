/* A baseline as a JSON document:
 *     {"baseline": 1, "runs": [{"name": ..., "steps": ..., "findings": [...], "gradients": [...], "flow": [...]}]} */
#include <math.h>
#include <string.h>

#include "base/fields.h"
#include "diagnose/baseline.h"

enum { FORMAT = 1 };
static const char *const track_keys[BASELINE_TRACKS] = {"gradients", "flow"};
static const char *const severities[] = {"info", "warning", "error", NULL};

static void add_string(Arena *arena, Json *object, const char *key, const char *value)
{
    json_add_member(arena, object, key, json_new_string(arena, value));
}

static Json *add(Arena *arena, Json *object, const char *key, JsonType type)
{
    Json *value = json_new(arena, type);
    json_add_member(arena, object, key, value);
    return value;
}

static Json *finding_document(Arena *arena, const BaselineFinding *finding)
{
    Json *object = json_new(arena, JSON_OBJECT);
    add_string(arena, object, "rule", finding->rule);
    add_string(arena, object, "severity", severity_name(finding->severity));
    add_string(arena, object, "place", finding->place);
    Json *layers = add(arena, object, "layers", JSON_ARRAY);
    for (int i = 0; i < finding->layer_count; i++)
        json_add_item(layers, json_new_string(arena, finding->layers[i]));
    add_string(arena, object, "fingerprint", finding->fingerprint);
    return object;
}

/* Six digits of a decade are more than any band needs. */
static Json *decades(Arena *arena, double value)
{
    return json_new_number(arena, round(value * 1e6) / 1e6);
}

static Json *tensor_document(Arena *arena, const BaselineTensor *tensor)
{
    Json *object = json_new(arena, JSON_OBJECT);
    add_string(arena, object, "name", tensor->name);
    json_add_member(arena, object, "count", json_new_number(arena, tensor->count));
    Json *quantiles = add(arena, object, "quantiles", JSON_ARRAY);
    for (int k = 0; tensor->count && k < BASELINE_QUANTILES; k++)
        json_add_item(quantiles, decades(arena, tensor->quantile[k]));
    json_add_member(arena, object, "deviation", decades(arena, tensor->deviation));
    return object;
}

Json *baseline_document(Arena *arena, const Baseline *baseline)
{
    Json *document = json_new(arena, JSON_OBJECT);
    json_add_member(arena, document, "baseline", json_new_number(arena, FORMAT));
    Json *runs = add(arena, document, "runs", JSON_ARRAY);
    for (int r = 0; r < baseline->runs; r++) {
        const BaselineRun *run = &baseline->run[r];
        Json *object = json_new(arena, JSON_OBJECT);
        add_string(arena, object, "name", run->name);
        json_add_member(arena, object, "steps", json_new_number(arena, (double)run->steps));
        Json *findings = add(arena, object, "findings", JSON_ARRAY);
        for (int i = 0; i < run->findings; i++)
            json_add_item(findings, finding_document(arena, &run->finding[i]));
        for (int track = 0; track < BASELINE_TRACKS; track++) {
            Json *tensors = add(arena, object, track_keys[track], JSON_ARRAY);
            for (int i = 0; i < run->tensors[track]; i++)
                json_add_item(tensors, tensor_document(arena, &run->tensor[track][i]));
        }
        json_add_item(runs, object);
    }
    return document;
}

typedef struct FindingFields {
    const char *rule, *place, *fingerprint;
    int severity;
    Json *layers;
} FindingFields;

static const Field finding_fields[] = {
    {"rule", FIELD_STRING, offsetof(FindingFields, rule), .required = true},
    {"severity", FIELD_CHOICE, offsetof(FindingFields, severity), .required = true, .choices = severities},
    {"place", FIELD_STRING, offsetof(FindingFields, place), .required = true},
    {"layers", FIELD_JSON, offsetof(FindingFields, layers), .required = true},
    {"fingerprint", FIELD_STRING, offsetof(FindingFields, fingerprint), .required = true},
    {0}};

static bool is_list(const Json *value, const char *what, Error *err)
{
    return value->type == JSON_ARRAY || error_at(err, value, "`%s` must be a list", what);
}

static bool read_finding(Arena *arena, Json *object, BaselineFinding *finding, Error *err)
{
    FindingFields fields = {0};
    if (!fields_read(arena, object, "a finding of the baseline", &(FieldSet){finding_fields, &fields}, 1, err) ||
        !is_list(fields.layers, "layers", err))
        return false;
    *finding = (BaselineFinding){.rule = fields.rule,
                                 .place = fields.place,
                                 .fingerprint = fields.fingerprint,
                                 .severity = (Severity)fields.severity,
                                 .layer_count = fields.layers->count};
    finding->layers = ARENA_ARRAY(arena, const char *, finding->layer_count);
    int count = 0;
    for (const Json *item = fields.layers->first; item; item = item->next) {
        if (item->type != JSON_STRING)
            return error_at(err, item, "a layer must be a name");
        finding->layers[count++] = item->string;
    }
    return true;
}

typedef struct TensorFields {
    const char *name;
    int64_t count;
    Json *quantiles;
    double deviation;
} TensorFields;

static const Field tensor_fields[] = {
    {"name", FIELD_STRING, offsetof(TensorFields, name), .required = true},
    {"count", FIELD_INTEGER, offsetof(TensorFields, count), .required = true, .limit = FIELD_NOT_NEGATIVE},
    {"quantiles", FIELD_JSON, offsetof(TensorFields, quantiles), .required = true},
    {"deviation", FIELD_NUMBER, offsetof(TensorFields, deviation), .required = true, .limit = FIELD_NOT_NEGATIVE},
    {0}};

static bool read_tensor(Arena *arena, Json *object, BaselineTensor *tensor, Error *err)
{
    TensorFields fields = {0};
    if (!fields_read(arena, object, "a tensor of the baseline", &(FieldSet){tensor_fields, &fields}, 1, err) ||
        !is_list(fields.quantiles, "quantiles", err))
        return false;
    if (fields.quantiles->count != (fields.count ? BASELINE_QUANTILES : 0))
        return error_at(err, fields.quantiles, "`quantiles` must be a list of %d numbers", BASELINE_QUANTILES);
    *tensor = (BaselineTensor){.name = fields.name, .count = fields.count < 1000000 ? (int)fields.count : 1000000};
    tensor->deviation = fields.deviation;
    int k = 0;
    for (const Json *item = fields.quantiles->first; item; item = item->next) {
        if (item->type != JSON_NUMBER)
            return error_at(err, item, "a quantile must be a number");
        tensor->quantile[k++] = item->number;
    }
    return true;
}

typedef struct RunFields {
    const char *name;
    int64_t steps;
    Json *findings, *track[BASELINE_TRACKS];
} RunFields;

static const Field run_fields[] = {
    {"name", FIELD_STRING, offsetof(RunFields, name), .required = true},
    {"steps", FIELD_INTEGER, offsetof(RunFields, steps), .required = true, .limit = FIELD_NOT_NEGATIVE},
    {"findings", FIELD_JSON, offsetof(RunFields, findings), .required = true},
    {"gradients", FIELD_JSON, offsetof(RunFields, track[BASELINE_GRADIENTS]), .required = true},
    {"flow", FIELD_JSON, offsetof(RunFields, track[BASELINE_FLOW]), .required = true},
    {0}};

static bool read_run(Arena *arena, Json *object, BaselineRun *run, Error *err)
{
    RunFields fields = {0};
    if (!fields_read(arena, object, "a run of the baseline", &(FieldSet){run_fields, &fields}, 1, err) ||
        !is_list(fields.findings, "findings", err))
        return false;
    *run = (BaselineRun){.name = fields.name, .steps = fields.steps};
    run->finding = ARENA_ARRAY(arena, BaselineFinding, fields.findings->count);
    bool fine = true;
    for (Json *item = fields.findings->first; item; item = item->next)
        fine = read_finding(arena, item, &run->finding[run->findings++], err) && fine;
    for (int track = 0; track < BASELINE_TRACKS; track++) {
        if (!is_list(fields.track[track], track_keys[track], err))
            return false;
        run->tensor[track] = ARENA_ARRAY(arena, BaselineTensor, fields.track[track]->count);
        for (Json *item = fields.track[track]->first; item; item = item->next)
            fine = read_tensor(arena, item, &run->tensor[track][run->tensors[track]++], err) && fine;
    }
    return fine;
}

typedef struct FileFields {
    int64_t format;
    Json *runs;
} FileFields;

static const Field file_fields[] = {{"baseline", FIELD_INTEGER, offsetof(FileFields, format), .required = true},
                                    {"runs", FIELD_JSON, offsetof(FileFields, runs), .required = true},
                                    {0}};

bool baseline_read(Baseline *baseline, const char *path, Error *err)
{
    FileFields fields = {0};
    Json *root = json_read_file(baseline->arena, path, err);
    if (!root)
        return false;
    if (!json_member(root, "baseline")) {
        error_in_file(err, path, 0, 0, "this is no baseline");
        return error_hint(err, "gradtool check RUN --write-baseline FILE writes one");
    }
    if (!fields_read(baseline->arena, root, "the baseline", &(FieldSet){file_fields, &fields}, 1, err) ||
        !is_list(fields.runs, "runs", err))
        return false;
    if (fields.format != FORMAT)
        return error_at(err, json_member(root, "baseline"), "a baseline of format %lld cannot be read, only of format %d",
                        (long long)fields.format, FORMAT);
    bool fine = true;
    for (Json *item = fields.runs->first; item; item = item->next)
        fine = read_run(baseline->arena, item, baseline_next_run(baseline), err) && fine;
    return fine;
}
