/* PyTorch's .pt since 1.6: NAME/data.pkl says which tensors there are, NAME/data/KEY holds the bytes of each storage.
 *
 * A tensor is the call _rebuild_tensor_v2(storage, offset, size, stride, ...), a storage the persistent id
 * ("storage", torch.FloatStorage, key, location, count). */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "tensor/pickle.h"
#include "tensor/tensor_file_formats.h"

static const char *const allowed[] = {"collections OrderedDict",
                                      "torch._utils _rebuild_tensor_v2",
                                      "torch._utils _rebuild_parameter",
                                      "torch Size",
                                      "torch FloatStorage",
                                      "torch DoubleStorage",
                                      "torch HalfStorage",
                                      "torch BFloat16Storage",
                                      "torch LongStorage",
                                      "torch IntStorage",
                                      "torch ShortStorage",
                                      "torch CharStorage",
                                      "torch ByteStorage",
                                      "torch BoolStorage",
                                      NULL};

static const struct {
    const char *global;
    NumberType type;
} storages[] = {{"torch FloatStorage", NUMBER_F32},     {"torch DoubleStorage", NUMBER_F64}, {"torch HalfStorage", NUMBER_F16},
                {"torch BFloat16Storage", NUMBER_BF16}, {"torch LongStorage", NUMBER_I64},   {"torch IntStorage", NUMBER_I32},
                {"torch ShortStorage", NUMBER_I16},     {"torch CharStorage", NUMBER_I8},    {"torch ByteStorage", NUMBER_U8},
                {"torch BoolStorage", NUMBER_BOOL}};

typedef struct TorchFile {
    Arena *arena;
    const ZipFile *zip;
    const char *folder; /* with the slash behind it */
    bool big_endian;
    Error *err;
} TorchFile;

static bool is_call(const Pickle *value, const char *function)
{
    return value->kind == PICKLE_CALL && !strcmp(value->function->text, function);
}

static bool is_dict(const Pickle *value)
{
    return value->kind == PICKLE_DICT || is_call(value, "collections OrderedDict");
}

/* The tensor call behind a value, NULL when it is something else. A parameter is a call around its tensor. */
static const Pickle *tensor_of(const Pickle *value)
{
    if (is_call(value, "torch._utils _rebuild_parameter") && value->arguments->count)
        value = value->arguments->item[0];
    return is_call(value, "torch._utils _rebuild_tensor_v2") ? value : NULL;
}

/* A dict whose values are all tensors, under keys that are strings. */
static bool is_state_dict(const Pickle *value)
{
    if (!is_dict(value) || !value->count)
        return false;
    for (int i = 0; i < value->count; i += 2)
        if (value->item[i]->kind != PICKLE_STRING || !tensor_of(value->item[i + 1]))
            return false;
    return true;
}

/* The first, those nearer to the root before those deeper: an optimizer's state holds such dicts, too, further down. */
static const Pickle *find_state_dict(Arena *arena, Pickle *root)
{
    int count = 1, capacity = 64;
    Pickle **queue = ARENA_ARRAY(arena, Pickle *, capacity);
    assert(root);
    queue[0] = root;
    root->is_seen = true;
    for (int next = 0; next < count; next++) {
        const Pickle *value = queue[next];
        if (is_state_dict(value))
            return value;
        for (int i = 1; is_dict(value) && i < value->count; i += 2) {
            Pickle *inner = value->item[i];
            if (inner->is_seen || !is_dict(inner))
                continue;
            inner->is_seen = true;
            if (count == capacity) {
                queue = arena_grow(arena, queue, sizeof *queue * (size_t)count, 2 * sizeof *queue * (size_t)count);
                capacity *= 2;
            }
            queue[count++] = inner;
        }
    }
    return NULL;
}

static bool fail(const TorchFile *torch, const char *name, const char *why)
{
    return error_in_file(torch->err, torch->zip->path, 0, 0, "tensor `%s` %s", name, why);
}

/* A tuple of whole numbers from 0 to `high`, perhaps within torch.Size(...). */
static bool read_numbers(const Pickle *value, int64_t high, size_t into[], int *count)
{
    if (is_call(value, "torch Size") && value->arguments->count == 1)
        value = value->arguments->item[0];
    if (value->kind != PICKLE_SEQUENCE || value->count > SHAPE_MAX_RANK)
        return false;
    for (int i = 0; i < value->count; i++) {
        const Pickle *item = value->item[i];
        if (item->kind != PICKLE_INTEGER || item->integer < 0 || item->integer > high)
            return false;
        into[i] = (size_t)item->integer;
    }
    *count = value->count;
    return true;
}

static bool read_storage(const TorchFile *torch, const Pickle *value, const char *name, Strided *array)
{
    const Pickle *id = value->kind == PICKLE_PERSISTENT ? value->item[0] : NULL;
    if (!id || id->kind != PICKLE_SEQUENCE || id->count < 5 || id->item[1]->kind != PICKLE_GLOBAL ||
        id->item[2]->kind != PICKLE_STRING)
        return fail(torch, name, "has no storage");
    size_t row = 0, rows = sizeof storages / sizeof *storages;
    while (row < rows && strcmp(storages[row].global, id->item[1]->text) != 0)
        row++;
    if (row == rows)
        return fail(torch, name, "has a storage of unknown type");
    array->type = storages[row].type;
    array->big_endian = torch->big_endian;
    const char *path = arena_printf(torch->arena, "%sdata/%s", torch->folder, id->item[2]->text);
    const ZipEntry *entry = zip_file_find(torch->zip, path);
    if (!entry)
        return fail(torch, name, "has a storage that is not in the file");
    return zip_file_content(torch->zip, entry, torch->arena, &array->data, torch->err);
}

static bool read_tensor(const TorchFile *torch, const Pickle *call, FileTensor *tensor)
{
    const Pickle *arguments = call->arguments;
    Strided array = {0};
    size_t size[SHAPE_MAX_RANK] = {0};
    int strides = 0;
    if (arguments->count < 4 || arguments->item[1]->kind != PICKLE_INTEGER || arguments->item[1]->integer < 0 ||
        !read_numbers(arguments->item[2], INT_MAX, size, &array.shape.rank) ||
        !read_numbers(arguments->item[3], INT64_MAX, array.stride, &strides) || strides != array.shape.rank)
        return fail(torch, tensor->name, arguments->count >= 4 ? "has a shape that is not read" : "is not described in full");
    for (int i = 0; i < array.shape.rank; i++)
        array.shape.dim[i] = (int)size[i];
    if (!read_storage(torch, arguments->item[0], tensor->name, &array))
        return false;
    uint64_t offset = (uint64_t)arguments->item[1]->integer, width = number_size(array.type);
    if (offset > array.data.count / width)
        return fail(torch, tensor->name, "begins beyond its storage");
    array.data = (Bytes){array.data.at + offset * width, array.data.count - (size_t)(offset * width)};
    return tensor_file_gather(torch->arena, torch->zip->path, &array, tensor, torch->err);
}

static bool read_byte_order(TorchFile *torch)
{
    const ZipEntry *entry = zip_file_find(torch->zip, arena_printf(torch->arena, "%sbyteorder", torch->folder));
    Bytes order;
    if (!entry)
        return true; /* before 2.0 there was none, and no machine but little-endian ones */
    if (!zip_file_content(torch->zip, entry, torch->arena, &order, torch->err))
        return false;
    torch->big_endian = order.count >= 3 && !memcmp(order.at, "big", 3);
    return true;
}

static bool read_pickle(TorchFile *torch, Pickle **root)
{
    const ZipEntry *entry = zip_file_find(torch->zip, arena_printf(torch->arena, "%sdata.pkl", torch->folder));
    Bytes content;
    if (zip_file_find(torch->zip, arena_printf(torch->arena, "%sconstants.pkl", torch->folder))) {
        error_in_file(torch->err, torch->zip->path, 0, 0, "this is a TorchScript program, not a state_dict");
        return error_hint(torch->err, "save the weights: torch.save(model.state_dict(), 'weights.pt')");
    }
    if (!zip_file_content(torch->zip, entry, torch->arena, &content, torch->err))
        return false;
    *root = pickle_read(torch->arena, torch->zip->path, content, allowed, torch->err);
    return *root != NULL;
}

/* The folder of data.pkl: any name, the same for all entries. */
static const char *find_folder(Arena *arena, const ZipFile *zip)
{
    static const char wanted[] = "data.pkl";
    for (int i = 0; i < zip->count; i++) {
        const char *slash = strchr(zip->entry[i].name, '/');
        if (slash && !strcmp(slash + 1, wanted))
            return arena_strndup(arena, zip->entry[i].name, (size_t)(slash + 1 - zip->entry[i].name));
    }
    return zip_file_find(zip, wanted) ? "" : NULL;
}

bool torch_file_is(Arena *arena, const ZipFile *zip)
{
    return find_folder(arena, zip) != NULL;
}

TensorFile *torch_file_read(Arena *arena, const ZipFile *zip, Error *err)
{
    TorchFile torch = {.arena = arena, .zip = zip, .folder = find_folder(arena, zip), .err = err};
    Pickle *root = NULL;
    if (!read_byte_order(&torch) || !read_pickle(&torch, &root))
        return NULL;
    const Pickle *state = find_state_dict(arena, root);
    if (!state) {
        error_in_file(err, zip->path, 0, 0, "it holds no dict whose values are all tensors");
        error_hint(err, "save the state_dict alone: torch.save(model.state_dict(), 'weights.pt')");
        return NULL;
    }
    TensorFile *file = ARENA_NEW(arena, TensorFile);
    *file = (TensorFile){.path = zip->path, .tensor = ARENA_ARRAY(arena, FileTensor, state->count / 2 + 1), .format = "pt"};
    for (int i = 0; i < state->count; i += 2) {
        FileTensor *tensor = &file->tensor[file->count++];
        tensor->name = state->item[i]->text;
        if (!read_tensor(&torch, tensor_of(state->item[i + 1]), tensor))
            return NULL;
    }
    return file;
}
