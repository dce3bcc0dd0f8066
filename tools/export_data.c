/* Writes the arrays of a "data" object as .npy files, for the comparison with PyTorch: export_data DATA.json SEED FOLDER
 *
 * FOLDER gets inputs.npy and targets.npy, and validation_inputs.npy and validation_targets.npy where there is such data;
 * whole numbers as targets are written as int64, as PyTorch wants class numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/dataset.h"

/* Version 1.0: the header is padded so that the numbers begin at a multiple of 64 bytes. */
static void write_header(FILE *file, const char *type, size_t samples, Shape shape)
{
    char header[512];
    int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,", type, samples);
    for (int i = 0; i < shape.rank; i++)
        length += snprintf(header + length, sizeof header - (size_t)length, " %d,", shape.dim[i]);
    length += snprintf(header + length, sizeof header - (size_t)length, "), }");
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    const unsigned char start[] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(padded & 255), (unsigned char)(padded >> 8)};
    fwrite(start, 1, sizeof start, file);
    fprintf(file, "%-*s\n", padded - 1, header);
}

static bool write_array(Arena *arena, const char *folder, const char *name, const float *values, size_t samples, Shape shape,
                        bool as_integers, Error *err)
{
    const char *path = path_join(arena, folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return error_add(err, "cannot write %s", path);
    write_header(file, as_integers ? "<i8" : "<f4", samples, shape);
    size_t count = samples * shape_count(shape);
    for (size_t i = 0; as_integers && i < count; i++) {
        int64_t whole = (int64_t)values[i];
        fwrite(&whole, sizeof whole, 1, file);
    }
    if (!as_integers)
        fwrite(values, sizeof *values, count, file);
    bool failed = ferror(file) != 0;
    return (fclose(file) == 0 && !failed) || error_add(err, "cannot write %s", path);
}

static bool write_dataset(Arena *arena, const char *folder, const char *prefix, const Dataset *data, Error *err)
{
    if (data->samples == 0)
        return true;
    const char *inputs = arena_printf(arena, "%sinputs.npy", prefix), *targets = arena_printf(arena, "%stargets.npy", prefix);
    return write_array(arena, folder, inputs, data->inputs, data->samples, data->input, false, err) &&
           write_array(arena, folder, targets, data->targets, data->samples, data->target, data->targets_are_integers, err);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: export_data DATA.json SEED FOLDER\n");
        return 2;
    }
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    Json *object = json_read_file(arena, argv[1], err);
    DataSplit split;
    bool is_done = object && dataset_read(arena, object, strtoull(argv[2], NULL, 10), &split, err) &&
                   write_dataset(arena, argv[3], "", &split.training, err) &&
                   write_dataset(arena, argv[3], "validation_", &split.validation, err);
    if (!is_done)
        error_print(err, stderr, false);
    arena_free(arena);
    return is_done ? 0 : 2;
}
