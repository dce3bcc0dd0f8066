/* A window that slides over the two axes of images [batch, channels, height, width]: of convolutions and pooling. */
#ifndef GRADTOOL_AUTOGRAD_WINDOW_H
#define GRADTOOL_AUTOGRAD_WINDOW_H

#include <assert.h>

/* Arrays by axis: height, width. Zeros (or nothing, in pooling) stand `before` and `after` the image. */
typedef struct Window {
    int kernel[2], stride[2], before[2], after[2], dilation[2];
    int groups; /* of channels, which do not see each other */
} Window;

/* Positions of the window along an axis of `size` elements; below 1 where it does not fit. */
static inline int window_outputs(const Window *window, int axis, int size)
{
    assert(window->stride[axis] > 0);
    int room = size + window->before[axis] + window->after[axis] - window->dilation[axis] * (window->kernel[axis] - 1) - 1;
    return room < 0 ? 0 : room / window->stride[axis] + 1;
}

#endif
