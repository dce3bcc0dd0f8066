/* Our own stroke font: ASCII and dashes as lines and curves, so that text in a PNG needs no font file and is sharp at any size.
 */
#ifndef GRADTOOL_RENDER_FONT_H
#define GRADTOOL_RENDER_FONT_H

/* In units of the font: capitals are 9 units high. */
typedef struct FontPoint {
    float x, y; /* y upwards from the baseline */
} FontPoint;

typedef struct FontSegment {
    FontPoint from, to;
} FontSegment;

enum { FONT_SEGMENTS = 160 };

/* Font size (em) in units. */
#define FONT_EM 12.5

/* The code point at *text, which is moved behind it; 0 at the end. Bytes that are no UTF-8 count as one character each. */
unsigned font_next(const char **text);
/* The strokes of a character; a frame for one that the font has not. Returns their number and the distance to the next. */
int font_glyph(unsigned code, FontSegment segments[FONT_SEGMENTS], double *advance);
/* Width of UTF-8 text at a font size. */
double font_width(const char *text, double size);

#endif
