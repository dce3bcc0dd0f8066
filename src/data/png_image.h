/* Decoding PNG files to numbers. */
#ifndef GRADTOOL_DATA_PNG_IMAGE_H
#define GRADTOOL_DATA_PNG_IMAGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct PngImage {
    int channels; /* 1: grey, 3: red, green, blue */
    int height, width;
    int depth;                    /* bits of a number: 8 or 16 */
    const unsigned char *samples; /* [height, width, channels], big-endian */
} PngImage;

/* Any kind of PNG: palettes become RGB, fewer bits than 8 become 8, transparency is dropped. Memory is the arena's. */
bool png_image_read(Arena *arena, const char *path, PngImage *image, Error *err);

/* Writes the image as planes [channels, height, width] of numbers from 0 to 1. */
void png_image_floats(const PngImage *image, float *into);

#endif
