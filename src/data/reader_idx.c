/* MNIST's format: two zero bytes, the number type, the number of axes, their sizes (big-endian), then the numbers. */
#include <assert.h>
#include <limits.h>

#include "base/file.h"
#include "data/reader.h"
#include "tensor/number_type.h"

enum { TYPE_U8 = 0x08, AXES_MAX = 3 };

typedef struct Options {
    const char *images, *labels;
} Options;

typedef struct IdxFile {
    const unsigned char *data;
    size_t dim[AXES_MAX];
} IdxFile;

/* Reads a file of `axes` axes; `what` says what they should be. */
static bool read_file(Arena *arena, const char *path, int axes, const char *what, IdxFile *file, Error *err)
{
    Bytes bytes;
    if (!file_read_gzip(arena, path, READER_UNPACKED_LIMIT, &bytes, err))
        return false;
    size_t header = 4 + 4 * (size_t)axes;
    if (bytes.count < 4 || bytes.at[0] != 0 || bytes.at[1] != 0)
        return error_in_file(err, path, 0, 0, "no idx file: it does not begin with two zero bytes, type and rank");
    if (bytes.at[2] != TYPE_U8)
        return error_in_file(err, path, 0, 0, "the number type is 0x%02x, but %s are bytes (0x08)", bytes.at[2], what);
    if (bytes.at[3] != axes)
        return error_in_file(err, path, 0, 0, "the file has %d axes, but %s have %d", bytes.at[3], what, axes);
    if (bytes.count < header)
        return error_in_file(err, path, 0, 0, "the file is cut short within its header");
    double expected = 1;
    for (int i = 0; i < axes; i++) {
        file->dim[i] = (size_t)number_bits(bytes.at + 4 + 4 * i, 4, true);
        if (file->dim[i] > INT_MAX)
            return error_in_file(err, path, 0, 0, "axis %d has %zu elements, more than %d", i, file->dim[i], INT_MAX);
        expected *= (double)file->dim[i];
    }
    if (expected != (double)(bytes.count - header))
        return error_in_file(err, path, 0, 0, "the file is %s: its header promises %.0f bytes of %s, and %zu follow",
                             expected > (double)(bytes.count - header) ? "cut short" : "too long", expected, what,
                             bytes.count - header);
    file->data = bytes.at + header;
    return true;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    const Options *own = options;
    Arena *files = arena_new(arena);
    IdxFile images = {0}, labels = {0};
    bool is_read =
        read_file(files, own->images, 3, "images", &images, err) && read_file(files, own->labels, 1, "labels", &labels, err);
    if (is_read && images.dim[0] != labels.dim[0])
        is_read = error_in_file(err, own->labels, 0, 0, "there are %zu images but %zu labels", images.dim[0], labels.dim[0]);
    if (is_read) {
        assert(images.data && labels.data);
        into->samples = images.dim[0];
        into->input = SHAPE(1, (int)images.dim[1], (int)images.dim[2]);
        into->origin = path_name(own->images);
        is_read = reader_allocate(arena, object, into, err);
    }
    for (size_t i = 0, n = is_read ? into->samples * shape_count(into->input) : 0; i < n; i++)
        into->inputs[i] = (float)images.data[i] / 255.0f;
    for (size_t i = 0; is_read && i < into->samples; i++) {
        into->targets[i] = labels.data[i];
        into->target_classes = labels.data[i] >= into->target_classes ? labels.data[i] + 1 : into->target_classes;
    }
    arena_free(files);
    return is_read;
}

static const Field fields[] = {
    {.name = "images",
     .type = FIELD_PATH,
     .offset = offsetof(Options, images),
     .required = true,
     .help = "idx3-ubyte file, plain or gzip"},
    {.name = "labels",
     .type = FIELD_PATH,
     .offset = offsetof(Options, labels),
     .required = true,
     .help = "idx1-ubyte file, plain or gzip"},
    {.name = NULL},
};

const DataReader reader_idx = {"idx", "images and labels in MNIST's format; pixels divided by 255, shape [1, H, W]", fields,
                               sizeof(Options), read};
