/* Logs in JSON: the trainer_state.json of Hugging Face's Trainer, and files with an object a line. Python writes NaN and
 * Infinity as bare words; they are put into quotes before anything is read. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/csv_record.h"
#include "diagnose/foreign_log.h"
#include "diagnose/tag_grammar.h"

enum { DEPTH_LIMIT = 4 };
static const size_t FILE_LIMIT = (size_t)1 << 32;

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The word of a number that is not finite at `at`, or NULL. */
static const char *bare_word(const char *text, size_t at, size_t length)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t end = at + strlen(words[i]);
        if (end <= length && memcmp(text + at, words[i], end - at) == 0 && (end == length || !is_word(text[end])))
            return words[i];
    }
    return NULL;
}

static void quote_bare_words(Text *into, const char *text, size_t length)
{
    bool in_string = false;
    text_clear(into);
    text_reserve(into, length);
    for (size_t i = 0; i < length; i++) {
        const char *word = NULL;
        if (!in_string && (text[i] == 'N' || text[i] == 'I' || text[i] == '-'))
            word = bare_word(text, i, length);
        if (word) {
            text_printf(into, "\"%s\"", word);
            i += strlen(word) - 1;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < length)
            text_add_char(into, text[i++]);
        else if (text[i] == '"')
            in_string = !in_string;
        text_add_char(into, text[i]);
    }
}

/* Numbers, and the texts that stand for some. */
static bool number_of(const Json *value, double *number)
{
    *number = value->number;
    return value->type == JSON_NUMBER || (value->type == JSON_STRING && csv_number(value->string, number));
}

/* The step of an object, an epoch only where there is no other; left as it is without any. */
static void find_step(const Json *object, int64_t *step)
{
    double number;
    bool has_epoch = false;
    for (const Json *member = object->first; member; member = member->next) {
        TagKind kind = tag_of(member->key).kind;
        bool is_taken = kind == TAG_STEP || (kind == TAG_EPOCH && !has_epoch);
        if (!is_taken || !number_of(member, &number) || !(fabs(number) < 9e15))
            continue;
        *step = (int64_t)number;
        if (kind == TAG_STEP)
            return;
        has_epoch = true;
    }
}

/* Numbers of the object and of objects in it, whose keys are joined by slashes. */
static void take_members(ForeignLog *log, const Json *object, const char *path, int64_t step, int depth, Arena *scratch)
{
    double number;
    for (const Json *member = object->first; member; member = member->next) {
        const char *name = *path ? arena_printf(scratch, "%s/%s", path, member->key) : member->key;
        if (member->type == JSON_OBJECT && depth < DEPTH_LIMIT)
            take_members(log, member, name, step, depth + 1, scratch);
        else if (number_of(member, &number) && !tag_is_place(tag_of(name).kind))
            foreign_log_add(log, foreign_log_tag(log, name, strlen(name)), step, number);
    }
}

static Json *read_json(Arena *arena, const char *path, Error *err)
{
    Bytes bytes;
    if (!file_read(arena, path, &bytes, err))
        return NULL;
    Text text = text_new(arena);
    quote_bare_words(&text, (const char *)bytes.at, bytes.count);
    return json_read_text(arena, path, text.at, text.length, err);
}

static bool read_trainer_state(ForeignLog *log, const char *path, Error *err)
{
    Arena *scratch = arena_new(log->arena);
    const Json *state = read_json(scratch, path, err), *history = state ? json_member(state, "log_history") : NULL;
    bool fine = history && history->type == JSON_ARRAY;
    if (state && !fine)
        error_add(err, "%s has no list \"log_history\"", path);
    log->kind = "Hugging Face trainer_state.json";
    const Json *planned = fine ? json_member(state, "max_steps") : NULL;
    if (planned && planned->number > 0 && planned->number < 9e15)
        log->planned = (int64_t)planned->number;
    int64_t step = 0;
    for (const Json *row = fine ? history->first : NULL; row; row = row->next) {
        log->records++;
        if (row->type == JSON_OBJECT) {
            find_step(row, &step);
            take_members(log, row, "", step, 0, scratch);
        } else {
            foreign_log_bad(log, "an entry of log_history that is no object in %s", path);
        }
    }
    arena_free(scratch);
    return fine;
}

static bool take_line(ForeignLog *log, const char *path, const char *line, size_t length, int64_t number)
{
    Arena *scratch = arena_new(log->arena);
    Text text = text_new(scratch);
    quote_bare_words(&text, line, length);
    const Json *object = json_read_text(scratch, path, text.at, text.length, error_new(scratch));
    bool is_object = object && object->type == JSON_OBJECT;
    int64_t step = number - 1;
    if (is_object) {
        find_step(object, &step);
        take_members(log, object, "", step, 0, scratch);
    }
    arena_free(scratch);
    return is_object;
}

static bool read_json_lines(ForeignLog *log, const char *path, Error *err)
{
    Arena *scratch = arena_new(log->arena);
    Bytes bytes;
    bool fine = file_read_gzip(scratch, path, FILE_LIMIT, &bytes, err);
    const char *at = fine ? (const char *)bytes.at : NULL, *end = fine ? at + bytes.count : NULL;
    log->kind = "JSON lines";
    for (int64_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        size_t blanks = strspn(at, " \t\r");
        if (at + blanks < stop) {
            log->records++;
            bool is_torn = !newline;
            if (!take_line(log, path, at, (size_t)(stop - at), number) && !is_torn)
                foreign_log_bad(log, "line %lld of %s, which is no JSON object", (long long)number, path);
        }
        at = newline ? newline + 1 : end;
    }
    arena_free(scratch);
    return fine;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static bool is_trainer_state(const char *name, const char *head, size_t count)
{
    (void)count;
    return strcmp(name, "trainer_state.json") == 0 || (head[strspn(head, " \t\r\n")] == '{' && strstr(head, "\"log_history\""));
}

/* By its name, or a first line that begins and ends as an object of JSON with another one behind it. */
static bool is_json_lines(const char *name, const char *head, size_t count)
{
    (void)count;
    if (ends_in(name, ".jsonl") || ends_in(name, ".ndjson"))
        return true;
    size_t length = strcspn(head, "\n");
    size_t second = 1 + strspn(head[0] ? head + 1 : head, " ");
    return head[0] == '{' && head[second] == '"' && strchr("}\r", head[length - 1]) && head[length] && head[length + 1] == '{';
}

extern const ForeignReader foreign_huggingface, foreign_jsonl;
const ForeignReader foreign_huggingface = {"huggingface", "trainer_state.json of Hugging Face's Trainer", is_trainer_state,
                                           read_trainer_state};
const ForeignReader foreign_jsonl = {"jsonl", "an object of JSON a line", is_json_lines, read_json_lines};
