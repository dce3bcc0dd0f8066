/* A folder with a sub-folder of PNG files for each class.
 *
 * Samples come from the classes in turn, in proportion to their sizes, so that a share taken from the end holds all of them. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "data/png_image.h"
#include "data/reader.h"

typedef struct Options {
    const char *path;
} Options;

typedef struct Names {
    const char **at;
    size_t count, capacity;
} Names;

typedef struct Sample {
    const char *path;
    int class;
    size_t number, of; /* within its class */
} Sample;

typedef struct Samples {
    Sample *at;
    size_t count, capacity;
} Samples;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By number / of, then by class. */
static int compare_samples(const void *a, const void *b)
{
    const Sample *x = a, *y = b;
    double left = ((double)x->number + 0.5) * (double)y->of, right = ((double)y->number + 0.5) * (double)x->of;
    return left < right ? -1 : left > right ? 1 : (x->class > y->class) - (x->class < y->class);
}

static bool is_png(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcasecmp(name + length - 4, ".png") == 0;
}

/* Names in a folder, sorted: its folders, or its PNG files. Hidden ones are left out. */
static bool list_folder(Arena *arena, const char *path, bool folders, Names *names, Error *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return error_in_file(err, path, 0, 0,
                             file_exists(path) ? "this is no folder that can be read" : "there is no such folder");
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *name = entry->d_name;
        if (name[0] == '.' || file_is_folder(path_join(arena, path, name)) != folders || (!folders && !is_png(name)))
            continue;
        if (names->count == names->capacity) {
            size_t capacity = names->capacity ? 2 * names->capacity : 64;
            names->at = arena_grow(arena, names->at, names->count * sizeof *names->at, capacity * sizeof *names->at);
            names->capacity = capacity;
        }
        names->at[names->count++] = arena_strdup(arena, name);
    }
    closedir(folder);
    if (names->count)
        qsort(names->at, names->count, sizeof *names->at, compare_names);
    return true;
}

static bool list_class(Arena *arena, const char *path, int class, Samples *samples, Error *err)
{
    Names files = {0};
    if (!list_folder(arena, path, false, &files, err))
        return false;
    if (!files.count)
        return error_in_file(err, path, 0, 0, "the folder of a class has no PNG file");
    size_t need = samples->count + files.count;
    if (need > samples->capacity) {
        size_t capacity = need > 2 * samples->capacity ? need : 2 * samples->capacity;
        samples->at = arena_grow(arena, samples->at, samples->count * sizeof(Sample), capacity * sizeof(Sample));
        samples->capacity = capacity;
    }
    for (size_t i = 0; i < files.count; i++)
        samples->at[samples->count++] = (Sample){path_join(arena, path, files.at[i]), class, i, files.count};
    return true;
}

static bool list_samples(Arena *arena, const char *path, Names *classes, Samples *samples, Error *err)
{
    if (!list_folder(arena, path, true, classes, err))
        return false;
    if (!classes->count) {
        error_in_file(err, path, 0, 0, "the folder has no folders of images");
        return error_hint(err, "each class is a folder of PNG files: cats/1.png, dogs/1.png, ...");
    }
    for (size_t i = 0; i < classes->count; i++)
        if (!list_class(arena, path_join(arena, path, classes->at[i]), (int)i, samples, err))
            return false;
    if (samples->at)
        qsort(samples->at, samples->count, sizeof(Sample), compare_samples);
    return true;
}

static const char *kind_of(int channels)
{
    return channels == 1 ? "grey" : "RGB";
}

/* Every image must be as the first. */
static bool check_alike(const PngImage *image, const char *path, Shape first, Error *err)
{
    if (image->channels != first.dim[0])
        return error_in_file(err, path, 0, 0, "the image is %s, but those before it are %s", kind_of(image->channels),
                             kind_of(first.dim[0]));
    if (image->height == first.dim[1] && image->width == first.dim[2])
        return true;
    error_in_file(err, path, 0, 0, "the image is %d wide and %d high, but those before it are %d wide and %d high",
                  image->width, image->height, first.dim[2], first.dim[1]);
    return error_hint(err, "images of one size are needed: scale or crop them first");
}

static bool read_samples(Arena *arena, const Samples *samples, const Json *object, Dataset *into, Error *err)
{
    for (size_t i = 0; i < samples->count; i++) {
        Arena *scratch = arena_new(arena);
        const Sample *sample = &samples->at[i];
        PngImage image;
        bool fine = png_image_read(scratch, sample->path, &image, err);
        if (fine && i == 0) {
            into->input = SHAPE(image.channels, image.height, image.width);
            fine = reader_allocate(arena, object, into, err);
        }
        fine = fine && check_alike(&image, sample->path, into->input, err);
        if (fine) {
            png_image_floats(&image, into->inputs + i * shape_count(into->input));
            into->targets[i] = (float)sample->class;
        }
        arena_free(scratch);
        if (!fine)
            return false;
    }
    return true;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    const char *path = ((const Options *)options)->path;
    Names classes = {0};
    Samples samples = {0};
    if (!list_samples(arena, path, &classes, &samples, err))
        return false;
    into->samples = samples.count;
    into->target_classes = (int)classes.count;
    into->class_names = classes.at;
    into->origin = path_name(path);
    return read_samples(arena, &samples, object, into, err);
}

static const Field fields[] = {
    {.name = "path",
     .type = FIELD_PATH,
     .offset = offsetof(Options, path),
     .required = true,
     .help = "a folder with a folder of PNG files for each class"},
    {.name = NULL},
};

const DataReader reader_images = {"images", "folders of PNG files, one a class; values from 0 to 1, shape [1 or 3, H, W]",
                                  fields, sizeof(Options), read};
