/* Reading a window and checking that it fits. */
#include "nn/window_options.h"

#include <string.h>

enum { SIZE_LIMIT = 1 << 16 };

static bool read_pair(const Json *value, const char *key, int pair[2], int64_t low, Error *err)
{
    int64_t both[2];
    if (!fields_read_integers(value, key, both, 2, low, err))
        return false;
    for (int a = 0; a < 2; a++) {
        if (both[a] > SIZE_LIMIT)
            return error_at(err, value, "`%s` may be up to %d, got %lld", key, SIZE_LIMIT, (long long)both[a]);
        pair[a] = (int)both[a];
    }
    return true;
}

static bool is_same(const Json *padding)
{
    return padding && padding->type == JSON_STRING && !strcmp(padding->string, "same");
}

/* As PyTorch has it: outputs of the input's size, and where the zeros are odd in number, one more at the end. */
static bool pad_to_same(const Json *padding, Window *w, Error *err)
{
    for (int a = 0; a < 2; a++) {
        int total = w->dilation[a] * (w->kernel[a] - 1);
        if (w->stride[a] != 1)
            return error_at(err, padding, "padding \"same\" needs a stride of 1, got %d", w->stride[a]);
        w->before[a] = total / 2;
        w->after[a] = total - total / 2;
    }
    return true;
}

static bool check_fit(Layer *layer, const Json *kernel, const Window *w, ModelReader *reader, Error *err)
{
    static const char *const sides[] = {"high", "wide"};
    for (int a = 0; a < 2; a++) {
        int size = layer->in[0].dim[1 + a], padded = size + w->before[a] + w->after[a],
            reach = w->dilation[a] * (w->kernel[a] - 1) + 1;
        if (reach > padded) {
            error_at(err, kernel, "%s: a kernel %d %s is larger than its input of %s, %d %s with its padding", layer->path,
                     reach, sides[a], shape_text(reader->arena, layer->in[0]), padded, sides[a]);
            return error_hint(err, "a smaller kernel or more padding fits");
        }
        layer->output.dim[1 + a] = window_outputs(w, a, size);
    }
    return true;
}

bool window_read(Layer *layer, const WindowOptions *options, Window *window, ModelReader *reader, Error *err)
{
    Window w = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    if (layer->in[0].rank != 3) {
        error_at(err, layer->json, "%s takes images [channels, height, width], not %s", layer->path,
                 shape_text(reader->arena, layer->in[0]));
        return error_hint(err, "a reshape layer before it makes images of features");
    }
    bool fine = read_pair(options->kernel, "kernel", w.kernel, 1, err);
    for (int a = 0; a < 2; a++)
        w.stride[a] = w.kernel[a];
    if (options->stride)
        fine = read_pair(options->stride, "stride", w.stride, 1, err) && fine;
    else
        json_add_member(reader->arena, layer->json, "stride", json_copy(reader->arena, options->kernel));
    if (options->dilation)
        fine = read_pair(options->dilation, "dilation", w.dilation, 1, err) && fine;
    if (options->may_be_same && is_same(options->padding)) {
        fine = fine && pad_to_same(options->padding, &w, err);
    } else if (options->padding) {
        fine = read_pair(options->padding, "padding", w.before, 0, err) && fine;
        memcpy(w.after, w.before, sizeof w.after);
    }
    double reach = (double)w.dilation[0] * w.kernel[0] + (double)w.dilation[1] * w.kernel[1];
    if (fine && reach > SIZE_LIMIT)
        return error_at(err, options->kernel, "%s: the kernel reaches over more than %d elements", layer->path, SIZE_LIMIT);
    layer->output = layer->in[0];
    *window = w;
    return fine && check_fit(layer, options->kernel, &w, reader, err);
}
