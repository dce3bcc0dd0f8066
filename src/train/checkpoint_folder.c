#include "train/checkpoint_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "tensor/tensor_file.h"
#include "train/trainer_internal.h"

enum { FORMAT = 1, FILES = 2 };

static const char *const file_names[FILES] = {"model.safetensors", "optimizer.safetensors"};
static const char state_name[] = "state.json";
/* state.json ends with its own checksum: `,"crc32":"0123abcd"}` and a line feed. */
static const char seal_key[] = ",\"crc32\":\"", seal_end[] = "\"}\n";
enum { HEX = 8, SEAL = sizeof seal_key - 1 + HEX + sizeof seal_end - 1 };

/* The numbers of a checkpoint; each is a key of state.json. */
typedef enum NumberKind { NUMBER_WHOLE, NUMBER_REAL, NUMBER_CHECKSUM } NumberKind;
typedef struct NumberRow {
    const char *key;
    NumberKind kind;
    size_t offset; /* in a Checkpoint */
} NumberRow;

static const NumberRow number_rows[] = {
    {"step", NUMBER_WHOLE, offsetof(Checkpoint, point.step)},
    {"epoch", NUMBER_WHOLE, offsetof(Checkpoint, point.epoch)},
    {"micro", NUMBER_WHOLE, offsetof(Checkpoint, point.micro)},
    {"runs", NUMBER_WHOLE, offsetof(Checkpoint, point.runs)},
    {"nonfinite", NUMBER_WHOLE, offsetof(Checkpoint, point.nonfinite)},
    {"scale", NUMBER_REAL, offsetof(Checkpoint, point.scale)},
    {"growth_tracker", NUMBER_WHOLE, offsetof(Checkpoint, point.growth_tracker)},
    {"seconds", NUMBER_REAL, offsetof(Checkpoint, point.seconds)},
    {"samples", NUMBER_WHOLE, offsetof(Checkpoint, samples)},
    {"batch_size", NUMBER_WHOLE, offsetof(Checkpoint, batch_size)},
    {"log_bytes", NUMBER_WHOLE, offsetof(Checkpoint, note.log_bytes)},
    {"config", NUMBER_CHECKSUM, offsetof(Checkpoint, note.config)},
};
enum { NUMBERS = sizeof number_rows / sizeof *number_rows };

/* The tensors of one of the files. */
static Parameter *const *file_tensors(const Trainer *t, int file, Arena *scratch, int *count)
{
    const Config *config = t->config;
    if (!file) {
        *count = config->model->states;
        return config->model->state;
    }
    return config_optimizer_state(config, count, scratch);
}

static void add_number(Text *text, const NumberRow *row, const Checkpoint *checkpoint)
{
    const char *at = (const char *)checkpoint + row->offset;
    int64_t whole;
    double real;
    uint32_t checksum;
    text_printf(text, "\"%s\":", row->key);
    switch (row->kind) {
    case NUMBER_WHOLE:
        memcpy(&whole, at, sizeof whole);
        text_printf(text, "\"%" PRId64 "\"", whole);
        break;
    case NUMBER_REAL:
        memcpy(&real, at, sizeof real);
        text_printf(text, "%.17g", real);
        break;
    case NUMBER_CHECKSUM:
        memcpy(&checksum, at, sizeof checksum);
        text_printf(text, "\"%08" PRIx32 "\"", checksum);
        break;
    }
}

/* Writes one file and its entry in state.json. */
static bool write_file(const Trainer *t, int file, const char *folder, Text *state, Error *err)
{
    Arena *scratch = arena_new(state->arena);
    int count;
    Parameter *const *tensors = file_tensors(t, file, scratch, &count);
    const char *path = path_join(scratch, folder, file_names[file]);
    Bytes bytes = tensor_file_bytes(tensors, count, scratch);
    bool done = bytes.at ? file_write(path, bytes.at, bytes.count, err)
                         : error_in_file(err, path, 0, 0, "no memory for the %zu bytes of this file", bytes.count);
    if (done)
        text_printf(state, "%s{\"name\":\"%s\",\"bytes\":\"%zu\",\"crc32\":\"%08" PRIx32 "\"}", file ? "," : "",
                    file_names[file], bytes.count, file_checksum(bytes));
    arena_free(scratch);
    return done;
}

static bool write_files(const Trainer *t, const Checkpoint *checkpoint, const char *folder, Arena *scratch, Error *err)
{
    Text state = text_new(scratch);
    text_printf(&state, "{\"format\":%d,\"version\":\"%s\",", FORMAT, GRADTOOL_VERSION);
    for (int i = 0; i < NUMBERS; i++) {
        add_number(&state, &number_rows[i], checkpoint);
        text_add_char(&state, ',');
    }
    text_add(&state, "\"files\":[");
    for (int i = 0; i < FILES; i++)
        if (!write_file(t, i, folder, &state, err))
            return false;
    text_add_char(&state, ']');
    uint32_t checksum = file_checksum((Bytes){(const unsigned char *)state.at, state.length});
    text_printf(&state, "%s%08" PRIx32 "%s", seal_key, checksum, seal_end);
    return file_write(path_join(scratch, folder, state_name), state.at, state.length, err);
}

bool checkpoint_write(const Trainer *t, const TrainPoint *point, const char *path, const CheckpointNote *note, Error *err)
{
    const Checkpoint checkpoint = {.point = *point,
                                   .note = *note,
                                   .samples = (int64_t)t->config->data.training.samples,
                                   .batch_size = t->config->train.batch_size};
    Arena *scratch = arena_new(t->arena);
    const char *temporary = folder_begin(scratch, path, err);
    bool done = temporary && write_files(t, &checkpoint, temporary, scratch, err);
    if (temporary && !done)
        file_remove_folder(temporary);
    done = done && folder_commit(temporary, path, err);
    arena_free(scratch);
    return done;
}

static bool read_checksum(const char *text, uint32_t *into)
{
    char *end;
    if (strspn(text, "0123456789abcdef") < HEX)
        return false;
    *into = (uint32_t)strtoul(text, &end, 16);
    return end == text + HEX;
}

static bool read_whole(const Json *value, int64_t *into)
{
    char *end;
    if (!value || value->type != JSON_STRING || !value->string[0])
        return false;
    *into = strtoll(value->string, &end, 10);
    return !*end && *into >= 0;
}

static bool read_number(const Json *object, const NumberRow *row, Checkpoint *checkpoint)
{
    const Json *value = json_member(object, row->key);
    char *at = (char *)checkpoint + row->offset;
    int64_t whole = 0;
    uint32_t checksum = 0;
    switch (row->kind) {
    case NUMBER_WHOLE:
        if (!read_whole(value, &whole))
            return false;
        memcpy(at, &whole, sizeof whole);
        return true;
    case NUMBER_REAL:
        if (!value || value->type != JSON_NUMBER)
            return false;
        memcpy(at, &value->number, sizeof value->number);
        return true;
    default:
        if (!value || value->type != JSON_STRING || !read_checksum(value->string, &checksum))
            return false;
        memcpy(at, &checksum, sizeof checksum);
        return true;
    }
}

static bool is_sealed(Bytes bytes)
{
    const char *seal = (const char *)bytes.at + bytes.count - SEAL;
    uint32_t checksum;
    return bytes.count > SEAL && !memcmp(seal, seal_key, strlen(seal_key)) &&
           !memcmp(seal + SEAL - strlen(seal_end), seal_end, strlen(seal_end)) &&
           read_checksum(seal + strlen(seal_key), &checksum) &&
           checksum == file_checksum((Bytes){bytes.at, bytes.count - SEAL});
}

static bool check_file(const char *folder, const Json *entry, const char *name, Arena *scratch, Error *err)
{
    const Json *checksum = json_member(entry, "crc32");
    int64_t size;
    uint32_t expected;
    Bytes bytes;
    if (!read_whole(json_member(entry, "bytes"), &size) || !checksum || checksum->type != JSON_STRING ||
        !read_checksum(checksum->string, &expected))
        return error_add(err, "%s is damaged: %s does not describe %s", folder, state_name, name);
    if (!file_read(scratch, path_join(scratch, folder, name), &bytes, err))
        return false;
    if ((int64_t)bytes.count != size)
        return error_add(err, "%s is damaged: %s has %zu bytes, of %" PRId64 " that were written", folder, name, bytes.count,
                         size);
    return file_checksum(bytes) == expected ||
           error_add(err, "%s is damaged: the checksum of %s is not what it was", folder, name);
}

static bool read_state(Arena *arena, const char *folder, Checkpoint *checkpoint, Error *err)
{
    const char *path = path_join(arena, folder, state_name);
    Bytes bytes;
    if (!file_read(arena, path, &bytes, err))
        return false;
    if (!is_sealed(bytes))
        return error_add(err, "%s is damaged: the checksum of %s is not what it was", folder, state_name);
    const Json *root = json_read_text(arena, path, (const char *)bytes.at, bytes.count, err);
    if (!root)
        return false;
    const Json *format = json_member(root, "format"), *files = json_member(root, "files");
    if (!format || format->number != FORMAT)
        return error_add(err, "%s is of a format that this version of gradtool does not know", folder);
    for (int i = 0; i < NUMBERS; i++)
        if (!read_number(root, &number_rows[i], checkpoint))
            return error_add(err, "%s is damaged: %s has no `%s`", folder, state_name, number_rows[i].key);
    for (int i = 0; i < FILES; i++) {
        Arena *scratch = arena_new(arena);
        const Json *entry = files && files->type == JSON_ARRAY && files->count == FILES ? json_item(files, i) : NULL;
        bool fine = check_file(folder, entry, file_names[i], scratch, err);
        arena_free(scratch);
        if (!fine)
            return false;
    }
    return true;
}

const Checkpoint *checkpoint_read(Arena *arena, const char *path, Error *err)
{
    Checkpoint *checkpoint = ARENA_NEW(arena, Checkpoint);
    checkpoint->path = arena_strdup(arena, path);
    return read_state(arena, path, checkpoint, err) ? checkpoint : NULL;
}

/* In the middle of an epoch the place counts batches of these samples. */
static bool check_place(const Checkpoint *checkpoint, const Config *config, Error *err)
{
    const int64_t samples = (int64_t)config->data.training.samples, batch_size = config->train.batch_size;
    if (!checkpoint->point.micro || (checkpoint->samples == samples && checkpoint->batch_size == batch_size))
        return true;
    error_add(err,
              "%s stands in the middle of an epoch of %" PRId64 " samples in batches of %" PRId64 ", the config has %" PRId64
              " in batches of %" PRId64,
              checkpoint->path, checkpoint->samples, checkpoint->batch_size, samples, batch_size);
    return error_hint(err, "data and batch size may change at the end of an epoch");
}

static bool load_file(const Checkpoint *checkpoint, int file, Trainer *t, Error *err)
{
    Arena *scratch = arena_new(t->arena);
    Error *detail = error_new(scratch); /* there may be one for each tensor */
    int count;
    Parameter *const *tensors = file_tensors(t, file, scratch, &count);
    const TensorFile *content = tensor_file_read(scratch, path_join(scratch, checkpoint->path, file_names[file]), detail);
    bool done = content && tensor_file_load(content, tensors, count, scratch, detail);
    if (!done) {
        error_add(err, "%s is not of the model and optimizer of this config: %s", checkpoint->path, error_message(detail, 0));
        error_hint(err, "without another config on the command line, the run goes on with its own");
    }
    arena_free(scratch);
    return done;
}

bool checkpoint_restore(const Checkpoint *checkpoint, Trainer *t, Error *err)
{
    bool done = check_place(checkpoint, t->config, err);
    for (int i = 0; done && i < FILES; i++)
        done = load_file(checkpoint, i, t, err);
    return done && trainer_go_to(t, &checkpoint->point, err);
}

const char *checkpoint_path(Arena *arena, const char *folder, int64_t step)
{
    return arena_printf(arena, "%s/step-%" PRId64, folder, step);
}

static int newest_first(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a < *b) - (*a > *b);
}

const int64_t *checkpoint_list(Arena *arena, const char *folder, int *count)
{
    int entries;
    const char *const *names = folder_list(arena, folder, &entries);
    int64_t *steps = ARENA_ARRAY(arena, int64_t, entries + 1);
    *count = 0;
    for (int i = 0; i < entries; i++) {
        int64_t step;
        if (sscanf(names[i], "step-%" SCNd64, &step) == 1 && step >= 0 &&
            !strcmp(path_name(checkpoint_path(arena, folder, step)), names[i]))
            steps[(*count)++] = step;
    }
    qsort(steps, (size_t)*count, sizeof *steps, newest_first);
    return steps;
}

void checkpoint_prune(Arena *scratch, const char *folder, int64_t keep)
{
    int count;
    const int64_t *steps = checkpoint_list(scratch, folder, &count);
    for (int i = 0; i < count; i++)
        if (i >= keep)
            file_remove_folder(checkpoint_path(scratch, folder, steps[i]));
}
