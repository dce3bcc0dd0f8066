#include "diagnose/foreign_layers.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "tensor/tensor_file.h"

typedef struct Names {
    const char **at;
    int count;
} Names;

static bool read_names(Arena *arena, const char *path, Names *names, Error *err)
{
    if (text_ends_in(path, ".safetensors") || text_ends_in(path, ".pt") || text_ends_in(path, ".pth") ||
        text_ends_in(path, ".npz")) {
        const TensorFile *file = tensor_file_read(arena, path, err);
        names->count = file ? file->count : 0;
        names->at = ARENA_ARRAY(arena, const char *, names->count + 1);
        for (int i = 0; i < names->count; i++)
            names->at[i] = file->tensor[i].name;
        return file != NULL;
    }
    Bytes bytes;
    if (!file_read(arena, path, &bytes, err))
        return false;
    names->at = ARENA_ARRAY(arena, const char *, bytes.count / 2 + 1);
    const char *at = (const char *)bytes.at;
    for (;;) {
        at += strspn(at, " \t\r\n");
        size_t length = strcspn(at, "\r\n"), kept = length;
        while (kept > 0 && (at[kept - 1] == ' ' || at[kept - 1] == '\t'))
            kept--;
        if (length == 0)
            return true;
        names->at[names->count++] = arena_strndup(arena, at, kept);
        at += length;
    }
}

static const char *name_of(const void *layer)
{
    const char *const *name = layer;
    return *name;
}

static int by_name(const void *a, const void *b)
{
    return text_compare_natural(name_of(a), name_of(b));
}

/* Places in the list, with the names they belong to. */
typedef struct Place {
    int rank, from;
} Place;

static int by_rank(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : (x->from > y->from) - (x->from < y->from);
}

static int find_name(const Names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return i;
    return names->count;
}

bool foreign_layers_sort(Arena *scratch, void *layers, size_t size, int count, const char *file, bool is_ordered, Error *err)
{
    if (!is_ordered && count > 0)
        qsort(layers, (size_t)count, size, by_name);
    if (!file || count == 0)
        return true;
    Names names = {0};
    if (!read_names(scratch, file, &names, err))
        return false;
    Place *place = ARENA_ARRAY(scratch, Place, count);
    char *copy = arena_alloc(scratch, size * (size_t)count), *into = layers;
    int known = 0;
    memcpy(copy, layers, size * (size_t)count);
    for (int i = 0; i < count; i++) {
        place[i] = (Place){find_name(&names, name_of(copy + size * (size_t)i)), i};
        known += place[i].rank < names.count;
    }
    if (known == 0) {
        error_add(err, "%s names none of the log's layers", file);
        return error_hint(err, "the log has `%s`; the file begins with `%s`", name_of(copy), names.count ? names.at[0] : "");
    }
    qsort(place, (size_t)count, sizeof *place, by_rank);
    for (int i = 0; i < count; i++)
        memcpy(into + size * (size_t)i, copy + size * (size_t)place[i].from, size);
    return true;
}
