/* Text for a model that says what comes next: windows of tokens, each with the token after it as target.
 *
 * A token is the place of a character (or byte) in the sorted list of those that occur. */
#include <assert.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/reader.h"

enum { LEVEL_CHAR, LEVEL_BYTE, CODE_LIMIT = 0x110000 };

typedef struct Options {
    const char *path;
    int64_t length, stride; /* stride 0: length */
    int level;
} Options;

/* The text as numbers: code points or bytes. */
typedef struct Codes {
    uint32_t *at;
    size_t count;
} Codes;

static uint32_t code_point(const unsigned char *at, int length)
{
    uint32_t code = length == 1 ? at[0] : at[0] & (0xffu >> (length + 1));
    for (int i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3fu);
    return code;
}

static bool no_utf8(const char *path, Bytes bytes, size_t at, Error *err)
{
    long line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = bytes.at[i] == '\n' ? 1 : column + 1;
        line += bytes.at[i] == '\n';
    }
    error_in_file(err, path, line, column, "byte 0x%02x is not UTF-8", bytes.at[at]);
    return error_hint(err, "\"level\": \"byte\" takes any file");
}

static bool decode(const char *path, Bytes bytes, int level, Codes *codes, Error *err)
{
    assert(codes->at);
    size_t at = level == LEVEL_CHAR && bytes.count >= 3 && !memcmp(bytes.at, "\xef\xbb\xbf", 3) ? 3 : 0; /* byte order mark */
    while (at < bytes.count) {
        int length = level == LEVEL_BYTE ? 1 : text_utf8_length((const char *)bytes.at + at, bytes.count - at);
        if (!length)
            return no_utf8(path, bytes, at, err);
        codes->at[codes->count++] = level == LEVEL_BYTE ? bytes.at[at] : code_point(bytes.at + at, length);
        at += (size_t)length;
    }
    return true;
}

/* A character as it is shown: itself, or an escape for one that cannot be seen. */
static const char *name_of(Arena *arena, uint32_t code, int level)
{
    if (code == '\n')
        return "\\n";
    if (code == '\t')
        return "\\t";
    if (code < 0x20 || code == 0x7f || (code >= 0x80 && level == LEVEL_BYTE))
        return arena_printf(arena, "\\x%02x", code);
    if (code < 0x80)
        return arena_printf(arena, "%c", (int)code);
    char bytes[5] = {0};
    int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)((0xf00u >> length & 0xffu) | code);
    return arena_strdup(arena, bytes);
}

/* Replaces codes by tokens, and names the tokens. */
static void number_tokens(Arena *arena, Arena *scratch, Codes *codes, int level, Dataset *into)
{
    int32_t *token = ARENA_ARRAY(scratch, int32_t, CODE_LIMIT);
    for (size_t i = 0; i < codes->count; i++)
        token[codes->at[i]] = 1;
    for (size_t code = 0; code < CODE_LIMIT; code++)
        if (token[code])
            token[code] = into->tokens++;
    const char **names = ARENA_ARRAY(arena, const char *, into->tokens);
    for (size_t i = 0; i < codes->count; i++) {
        int32_t number = token[codes->at[i]];
        if (!names[number])
            names[number] = name_of(arena, codes->at[i], level);
        codes->at[i] = (uint32_t)number;
    }
    into->target_classes = into->tokens;
    into->class_names = into->token_names = names;
}

static bool cut_windows(Arena *arena, const Json *object, const Options *options, const Codes *codes, Dataset *into, Error *err)
{
    const size_t length = (size_t)options->length, stride = options->stride ? (size_t)options->stride : length;
    if (codes->count < length + 1) {
        error_at(err, json_member(object, "path"), "the text has %zu %s, too few for a window of %zu and the one after it",
                 codes->count, options->level == LEVEL_BYTE ? "bytes" : "characters", length);
        return error_hint(err, "set `length` to less than that");
    }
    into->samples = (codes->count - length - 1) / stride + 1;
    into->input = into->target = SHAPE((int)length);
    if (!reader_allocate(arena, object, into, err))
        return false;
    for (size_t sample = 0; sample < into->samples; sample++)
        for (size_t i = 0; i < length; i++) {
            into->inputs[sample * length + i] = (float)codes->at[sample * stride + i];
            into->targets[sample * length + i] = (float)codes->at[sample * stride + i + 1];
        }
    return true;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    const Options *own = options;
    if (!reader_in_range(object, "length", own->length, 1, 1 << 24, err) ||
        !reader_in_range(object, "stride", own->stride, 0, 1 << 24, err))
        return false;
    Arena *scratch = arena_new(arena);
    Bytes bytes;
    Codes codes = {0};
    bool is_read = file_read_gzip(scratch, own->path, READER_UNPACKED_LIMIT, &bytes, err);
    if (is_read && !(codes.at = arena_try(scratch, bytes.count * sizeof *codes.at + 1)))
        is_read = error_in_file(err, own->path, 0, 0, "no memory for a text of %.1f MiB", (double)bytes.count / 0x1p20);
    is_read = is_read && decode(own->path, bytes, own->level, &codes, err);
    if (is_read) {
        number_tokens(arena, scratch, &codes, own->level, into);
        is_read = cut_windows(arena, object, own, &codes, into, err);
    }
    into->origin = path_name(own->path);
    arena_free(scratch);
    return is_read;
}

static const char *const levels[] = {"char", "byte", NULL};
static const Field fields[] = {
    {.name = "path",
     .type = FIELD_PATH,
     .offset = offsetof(Options, path),
     .required = true,
     .help = "text file, plain or gzip"},
    {.name = "length",
     .type = FIELD_INTEGER,
     .offset = offsetof(Options, length),
     .standard = "128",
     .limit = FIELD_POSITIVE,
     .help = "tokens of a sample"},
    {.name = "level",
     .type = FIELD_CHOICE,
     .offset = offsetof(Options, level),
     .standard = "\"char\"",
     .choices = levels,
     .help = "what a token is: a character (UTF-8) or a byte"},
    {.name = "stride",
     .type = FIELD_INTEGER,
     .offset = offsetof(Options, stride),
     .limit = FIELD_POSITIVE,
     .help = "tokens from one sample's begin to the next's; by default `length`, so that samples do not overlap"},
    {.name = NULL},
};

const DataReader reader_text = {"text", "characters or bytes of a file; the target is the next one", fields, sizeof(Options),
                                read};
