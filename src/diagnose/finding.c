#include "diagnose/finding.h"

#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "diagnose/rule.h"

const char *severity_name(Severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};
    return names[severity];
}

/* A list of pointers with one more place; its room is a power of two. */
static void *with_room(Arena *arena, const void *list, int count)
{
    bool is_full = (count & (count - 1)) == 0;
    size_t used = sizeof(void *) * (size_t)count;
    if (!is_full)
        return NULL;
    return arena_grow(arena, list, used, count ? 2 * used : sizeof(void *));
}

Finding *finding_add(Findings *findings, int64_t first_step, int64_t last_step, double value, double threshold,
                     const char *format, ...)
{
    const Rule *rule = findings->rule;
    Finding *finding = ARENA_NEW(findings->arena, Finding);
    va_list arguments;
    va_start(arguments, format);
    *finding = (Finding){
        .rule = rule,
        .severity = findings->severity,
        .first_step = first_step,
        .last_step = last_step,
        .value = value,
        .threshold = threshold,
        .message = arena_vprintf(findings->arena, format, arguments),
        .consequence = rule->consequence,
        .remedy = rule->remedy,
        .patch = json_new(findings->arena, JSON_OBJECT),
    };
    va_end(arguments);
    if (findings->count == findings->capacity) {
        int larger = findings->capacity ? 2 * findings->capacity : 16;
        findings->at = arena_grow(findings->arena, findings->at, sizeof *findings->at * (size_t)findings->capacity,
                                  sizeof *findings->at * (size_t)larger);
        findings->capacity = larger;
    }
    findings->at[findings->count++] = finding;
    return finding;
}

void findings_skip(Findings *findings, const char *reason)
{
    findings->skipped = reason;
}

void finding_add_layer(Findings *findings, Finding *finding, const char *name)
{
    const char **larger = with_room(findings->arena, finding->layers, finding->layer_count);
    finding->layers = larger ? larger : finding->layers;
    finding->layers[finding->layer_count++] = name;
}

/* How long the path of the part is that the patch must hold as a whole; 0: none. It is the first list on the way, or before
 * that an object that was read from another file, or a name that stands for an object ("loss": "mse"). */
static size_t whole_part(Arena *arena, const Json *config, const char *path, const char **text)
{
    for (size_t length = strcspn(path, ".["); path[length]; length += 1 + strcspn(path + length + 1, ".[")) {
        bool found;
        const Json *part = json_find(config, arena_strndup(arena, path, length), &found);
        if (!found)
            return 0;
        bool is_name = part->type == JSON_STRING, is_list = path[length] == '[';
        bool is_of_a_file = part->source && part->source->is_file && part->parent->source && part->parent->source->is_file &&
                            part->source != part->parent->source;
        if (!is_name && !is_list && !is_of_a_file)
            continue;
        Text whole = text_new(arena);
        text_add(&whole, is_name ? "{\"type\":" : "");
        json_write(&whole, part, -1);
        text_add(&whole, is_name ? "}" : "");
        *text = whole.at;
        return length;
    }
    return 0;
}

/* A place that cannot be set is a mistake in a rule; the finding is worth more than its patch, so that goes without. */
static void patch_set(Arena *arena, Json *patch, const char *path, const char *value)
{
    Arena *scratch = arena_new(arena);
    json_set(arena, patch, arena_printf(arena, "%s=%s", path, value), error_new(scratch));
    arena_free(scratch);
}

/* An object in a merge-patch is merged into the old one: what it has no more is to be null. */
static void drop_old_keys(Arena *arena, Json *patch, const Json *config, const char *path)
{
    bool had, has;
    const Json *old = json_find(config, path, &had), *new = json_find(patch, path, &has);
    if (!had || !has || old->type != JSON_OBJECT || new->type != JSON_OBJECT)
        return;
    for (const Json *member = old->first; member; member = member->next)
        if (!json_member(new, member->key))
            patch_set(arena, patch, arena_printf(arena, "%s.%s", path, member->key), "null");
}

void finding_add_change(Findings *findings, Finding *finding, const Json *config, const char *path, const char *value)
{
    Arena *arena = findings->arena;
    const char *whole = NULL;
    bool is_removed = !strcmp(value, "null"), found;
    size_t length = config ? whole_part(arena, config, path, &whole) : 0;
    const char *part = arena_strndup(arena, path, length);
    if (length)
        json_find(finding->patch, part, &found);
    if (length && !found)
        patch_set(arena, finding->patch, part, whole);
    const Json *old = json_find(finding->patch, path, &found);
    /* Inside of a list, which replaces the old one as it stands, null would be a value. */
    if (is_removed && memchr(path, '[', strlen(path))) {
        if (found)
            json_remove(old);
        return;
    }
    patch_set(arena, finding->patch, path, value);
    if (!length && config)
        drop_old_keys(arena, finding->patch, config, path);
    const char **larger = with_room(arena, finding->change, finding->changes);
    finding->change = larger ? larger : finding->change;
    finding->change[finding->changes++] = arena_printf(arena, "%s=%s", path, value);
}

const char *finding_fingerprint(Arena *arena, const Finding *finding, int number)
{
    Text text = text_new(arena);
    text_printf(&text, "%s\n%s", finding->rule->name, finding->blame ? finding->blame : "");
    for (int i = 0; i < finding->layer_count; i++)
        text_printf(&text, "\n%s", finding->layers[i]);
    if (number)
        text_printf(&text, "\n\n%d", number);
    return arena_printf(arena, "%016" PRIx64, random_hash(text.at));
}
