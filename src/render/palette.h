/* Colours: scales for what has an order, eight for what has none, and one for each state that is no number. */
#ifndef GRADTOOL_RENDER_PALETTE_H
#define GRADTOOL_RENDER_PALETTE_H

#include <stdint.h>

#include "base/error.h"

typedef struct Colour {
    uint8_t red, green, blue;
} Colour;

/* Not finite lies at least 67 (CIE76) from every colour of viridis, and zero is neutral: both are told apart from values. */
#define COLOUR_NONFINITE ((Colour){0xff, 0x00, 0x90})
#define COLOUR_ZERO ((Colour){0x80, 0x80, 0x80})
#define COLOUR_MISSING ((Colour){0xff, 0xff, 0xff})

typedef struct Palette Palette;

/* viridis, cividis, magma, inferno or gray; NULL is viridis. NULL and an error with a suggestion for another name. */
const Palette *palette_find(const char *name, Error *err);
/* at is clamped to 0 to 1. */
Colour palette_colour(const Palette *palette, double at);

/* The eight of Okabe & Ito 2008, black last; any index. */
Colour palette_line(int index);
enum { PALETTE_LINES = 8 };

#endif
