/* CIFAR-10, binary version: records of a class number and 3 x 32 x 32 bytes, red, green, blue. */
#include "base/file.h"
#include "data/reader.h"

enum { CHANNELS = 3, SIDE = 32, CLASSES = 10, PIXELS = CHANNELS * SIDE * SIDE, RECORD = 1 + PIXELS };

typedef struct Options {
    Json *paths;
} Options;

static const char *const class_names[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};

/* The path of one file, relative to the file that names it, and so written back. */
static bool resolve(Arena *arena, Json *value, Error *err)
{
    if (value->type != JSON_STRING || !value->string[0])
        return error_at(err, value, "`paths` is a file of CIFAR-10's binary version, or a list of them");
    const char *folder = value->source && value->source->is_file ? path_folder(arena, value->source->name) : ".";
    value->string = path_absolute(arena, path_join(arena, folder, value->string));
    return true;
}

static bool read_file(Arena *files, Arena *arena, Json *path, Bytes *bytes, Error *err)
{
    if (!resolve(arena, path, err) || !file_read_gzip(files, path->string, READER_UNPACKED_LIMIT, bytes, err))
        return false;
    if (bytes->count == 0 || bytes->count % RECORD)
        return error_in_file(err, path->string, 0, 0, "%zu bytes are no whole number of records of %d bytes", bytes->count,
                             RECORD);
    for (size_t i = 0; i < bytes->count; i += RECORD)
        if (bytes->at[i] >= CLASSES)
            return error_in_file(err, path->string, 0, 0, "record %zu is of class %d, but classes are 0 to %d", i / RECORD + 1,
                                 bytes->at[i], CLASSES - 1);
    return true;
}

static void take_records(const Bytes *bytes, Dataset *into, size_t first)
{
    for (size_t i = 0; i < bytes->count / RECORD; i++) {
        const unsigned char *record = bytes->at + i * RECORD;
        float *pixels = into->inputs + (first + i) * PIXELS;
        into->targets[first + i] = record[0];
        for (size_t k = 0; k < PIXELS; k++)
            pixels[k] = (float)record[1 + k] / 255.0f;
    }
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    Json *paths = ((const Options *)options)->paths;
    bool is_list = paths->type == JSON_ARRAY;
    int count = is_list ? paths->count : 1;
    Arena *files = arena_new(arena);
    Bytes *bytes = ARENA_ARRAY(files, Bytes, count);
    bool is_read = count > 0 || error_at(err, paths, "`paths` names no file");
    Json *path = is_list ? paths->first : paths;
    for (int i = 0; is_read && i < count; i++, path = path->next) {
        is_read = read_file(files, arena, path, &bytes[i], err);
        into->samples += is_read ? bytes[i].count / RECORD : 0;
        into->origin = is_read && i == 0 ? path_name(path->string) : into->origin;
    }
    into->input = SHAPE(CHANNELS, SIDE, SIDE);
    into->target_classes = CLASSES;
    into->class_names = class_names;
    is_read = is_read && reader_allocate(arena, object, into, err);
    for (size_t i = 0, first = 0; is_read && i < (size_t)count; first += bytes[i++].count / RECORD)
        take_records(&bytes[i], into, first);
    arena_free(files);
    return is_read;
}

static const Field fields[] = {
    {.name = "paths",
     .type = FIELD_JSON,
     .offset = offsetof(Options, paths),
     .required = true,
     .help = "a file of the binary version, or a list of them, plain or gzip"},
    {.name = NULL},
};

const DataReader reader_cifar10 = {"cifar10", "CIFAR-10's binary version; pixels divided by 255, shape [3, 32, 32]", fields,
                                   sizeof(Options), read};
