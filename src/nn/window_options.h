/* How convolution and pooling layers read kernel, stride, padding and dilation: a number or [height, width]. */
#ifndef GRADTOOL_NN_WINDOW_OPTIONS_H
#define GRADTOOL_NN_WINDOW_OPTIONS_H

#include <stdbool.h>

#include "autograd/window.h"
#include "base/error.h"
#include "base/json.h"
#include "nn/layer.h"
#include "tensor/shape.h"

typedef struct WindowOptions {
    Json *kernel, *stride, *padding, *dilation; /* NULL: stride is the kernel, padding 0, dilation 1 */
    bool may_be_same;                           /* padding may be "same" */
} WindowOptions;

#define WINDOW_FIELD(Options, member, key, value, is_required, text)                                                           \
    {                                                                                                                          \
        .name = key, .type = FIELD_JSON, .offset = offsetof(Options, member), .standard = value, .required = is_required,      \
        .help = text                                                                                                           \
    }

/* Checks that the layer's input is an image [channels, height, width] and reads the window, which must fit on it;
 * layer->output becomes [channels, rows, columns]. */
bool window_read(Layer *layer, const WindowOptions *options, Window *window, ModelReader *reader, Error *err);

#endif
