/* A picture as a list of what is drawn, so that its PNG and its SVG are the same picture.
 *
 * Coordinates are in points from the upper left corner; a PNG has SCENE_SCALE pixels a point, so what lies on half points is
 * drawn exactly. Texts are borrowed. */
#ifndef GRADTOOL_RENDER_SCENE_H
#define GRADTOOL_RENDER_SCENE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "render/palette.h"

enum { SCENE_SCALE = 2 };

typedef struct Pixel {
    uint8_t red, green, blue, alpha;
} Pixel;

typedef enum TextAnchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } TextAnchor;

typedef enum SceneKind { SCENE_RECTANGLE, SCENE_FRAME, SCENE_LINE, SCENE_TEXT, SCENE_CELLS } SceneKind;

typedef struct SceneItem SceneItem;
struct SceneItem {
    SceneKind kind;
    double x, y, width, height; /* of a line: from x, y to x + width, y + height; of a text: x, y is on its baseline */
    Colour colour;
    const char *text, *superscript; /* superscript: NULL, or smaller text behind it */
    double size;
    TextAnchor anchor;
    bool is_upright;    /* reads from below to above */
    const Pixel *cells; /* columns x rows, row by row, stretched over width x height without smoothing */
    int columns, rows;
    SceneItem *next;
};

typedef struct Scene {
    Arena *arena;
    double width, height;
    const char *title, *description;
    SceneItem *first, *last;
} Scene;

Scene *scene_new(Arena *arena, double width, double height, const char *title);
void scene_rectangle(Scene *scene, double x, double y, double width, double height, Colour colour);
void scene_frame(Scene *scene, double x, double y, double width, double height, Colour colour);
void scene_line(Scene *scene, double x0, double y0, double x1, double y1, Colour colour);
SceneItem *scene_text(Scene *scene, double x, double y, double size, TextAnchor anchor, const char *text);
void scene_cells(Scene *scene, double x, double y, double width, double height, const Pixel *cells, int columns, int rows);

/* Appends the bytes of a PNG. False with an error when the picture is too large for memory. */
bool scene_png(const Scene *scene, Text *png, Error *err);
/* Appends the text of an SVG that needs nothing beside it: cells are an embedded PNG, text is text. */
bool scene_svg(const Scene *scene, Text *svg, Error *err);
/* Appends a PNG of width x height pixels of `channels` bytes: 3 (RGB) or 4 (RGBA). */
bool png_encode(const void *pixels, int width, int height, int channels, Text *png, Error *err);

#endif
