/* A scene as pixels: rectangles and cells lie on whole pixels, text is drawn by the distance to its strokes. */
#include <math.h>
#include <png.h>

#include "render/font.h"
#include "render/scene.h"

#define STROKE 1.15 /* half of it is a stroke's reach, in units of the font */
#define SUPERSCRIPT_SIZE 0.72
#define SUPERSCRIPT_RISE 0.42

bool png_encode(const void *pixels, int width, int height, int channels, Text *png, Error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height};
    image.format = channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    text_reserve(png, bytes + 1);
    if (!png_image_write_to_memory(&image, png->at + png->length, &bytes, 0, pixels, 0, NULL))
        return error_add(err, "cannot make a PNG of %d x %d pixels: %s", width, height, image.message);
    png->length += bytes;
    png->at[png->length] = '\0';
    return true;
}

typedef struct Canvas {
    uint8_t *pixels; /* RGB */
    int width, height;
} Canvas;

static int device(double points)
{
    return (int)lround(points * SCENE_SCALE);
}

static void blend(Canvas *canvas, int x, int y, Colour colour, double part)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height || part <= 0)
        return;
    uint8_t *pixel = canvas->pixels + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
    const uint8_t target[3] = {colour.red, colour.green, colour.blue};
    for (int i = 0; i < 3; i++)
        pixel[i] = (uint8_t)lround(pixel[i] + (target[i] - pixel[i]) * fmin(part, 1));
}

static void fill(Canvas *canvas, int x0, int y0, int x1, int y1, Colour colour)
{
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            blend(canvas, x, y, colour, 1);
}

static double distance_squared(const FontSegment *segment, double x, double y)
{
    double dx = segment->to.x - segment->from.x, dy = segment->to.y - segment->from.y;
    double px = x - segment->from.x, py = y - segment->from.y;
    double length = dx * dx + dy * dy;
    double at = length > 0 ? fmin(fmax((px * dx + py * dy) / length, 0), 1) : 0;
    px -= at * dx;
    py -= at * dy;
    return px * px + py * py;
}

/* A glyph whose origin lies at (x, y) of the canvas, `unit` pixels a unit of the font. */
static void draw_glyph(Canvas *canvas, const SceneItem *item, const FontSegment *segments, int count, double x, double y,
                       double unit, double advance)
{
    int across = (int)ceil((advance + 2) * unit), up = (int)ceil(12 * unit), down = (int)ceil(5 * unit);
    for (int row = -up; row <= down; row++) {
        for (int column = -(int)ceil(2 * unit); column <= across; column++) {
            int px = item->is_upright ? (int)floor(x) + row : (int)floor(x) + column;
            int py = item->is_upright ? (int)floor(y) - column : (int)floor(y) + row;
            double along = item->is_upright ? y - (py + 0.5) : px + 0.5 - x;
            double above = item->is_upright ? x - (px + 0.5) : y - (py + 0.5);
            double nearest = INFINITY;
            for (int i = 0; i < count; i++)
                nearest = fmin(nearest, distance_squared(&segments[i], along / unit, above / unit));
            blend(canvas, px, py, item->colour, 0.5 + (STROKE / 2 - sqrt(nearest)) * unit);
        }
    }
}

/* Moves *x or, upright, *y along the text. */
static void draw_string(Canvas *canvas, const SceneItem *item, const char *text, double *x, double *y, double size)
{
    double unit = size * SCENE_SCALE / FONT_EM;
    for (unsigned code; (code = font_next(&text)) != 0;) {
        FontSegment segments[FONT_SEGMENTS];
        double advance;
        int count = font_glyph(code, segments, &advance);
        draw_glyph(canvas, item, segments, count, *x, *y, unit, advance);
        *(item->is_upright ? y : x) += (item->is_upright ? -advance : advance) * unit;
    }
}

static void draw_text(Canvas *canvas, const SceneItem *item)
{
    double x = item->x * SCENE_SCALE, y = item->y * SCENE_SCALE;
    double width = font_width(item->text, item->size) * SCENE_SCALE;
    if (item->superscript) /* an anchor is that of the whole, as in SVG */
        width += font_width(item->superscript, item->size * SUPERSCRIPT_SIZE) * SCENE_SCALE;
    double shift = item->anchor == ANCHOR_START ? 0 : item->anchor == ANCHOR_END ? width : width / 2;
    *(item->is_upright ? &y : &x) += item->is_upright ? shift : -shift;
    draw_string(canvas, item, item->text, &x, &y, item->size);
    if (item->superscript) {
        y -= SUPERSCRIPT_RISE * item->size * SCENE_SCALE;
        draw_string(canvas, item, item->superscript, &x, &y, item->size * SUPERSCRIPT_SIZE);
    }
}

static void draw_cells(Canvas *canvas, const SceneItem *item)
{
    int x0 = device(item->x), y0 = device(item->y), width = device(item->width), height = device(item->height);
    for (int y = 0; y < height; y++) {
        const Pixel *row = item->cells + (size_t)((int64_t)y * item->rows / height) * (size_t)item->columns;
        for (int x = 0; x < width; x++) {
            Pixel cell = row[(int64_t)x * item->columns / width];
            blend(canvas, x0 + x, y0 + y, (Colour){cell.red, cell.green, cell.blue}, cell.alpha / 255.0);
        }
    }
}

/* Only upright and level lines occur; they are one pixel wide. */
static void draw_line(Canvas *canvas, const SceneItem *item)
{
    int x0 = device(fmin(item->x, item->x + item->width)), y0 = device(fmin(item->y, item->y + item->height));
    int width = device(fabs(item->width)), height = device(fabs(item->height));
    fill(canvas, x0, y0, x0 + (width > 0 ? width : 1), y0 + (height > 0 ? height : 1), item->colour);
}

static void draw_frame(Canvas *canvas, const SceneItem *item)
{
    int x0 = device(item->x), y0 = device(item->y), x1 = device(item->x + item->width), y1 = device(item->y + item->height);
    fill(canvas, x0 - 1, y0 - 1, x1 + 1, y0, item->colour);
    fill(canvas, x0 - 1, y1, x1 + 1, y1 + 1, item->colour);
    fill(canvas, x0 - 1, y0, x0, y1, item->colour);
    fill(canvas, x1, y0, x1 + 1, y1, item->colour);
}

static void draw(Canvas *canvas, const SceneItem *item)
{
    switch (item->kind) {
    case SCENE_RECTANGLE:
        fill(canvas, device(item->x), device(item->y), device(item->x + item->width), device(item->y + item->height),
             item->colour);
        break;
    case SCENE_FRAME:
        draw_frame(canvas, item);
        break;
    case SCENE_LINE:
        draw_line(canvas, item);
        break;
    case SCENE_TEXT:
        draw_text(canvas, item);
        break;
    case SCENE_CELLS:
        draw_cells(canvas, item);
        break;
    }
}

bool scene_png(const Scene *scene, Text *png, Error *err)
{
    Arena *scratch = arena_new(scene->arena);
    Canvas canvas = {.width = device(scene->width), .height = device(scene->height)};
    size_t bytes = (size_t)canvas.width * (size_t)canvas.height * 3;
    canvas.pixels = arena_try(scratch, bytes);
    bool done = false;
    if (canvas.pixels) {
        fill(&canvas, 0, 0, canvas.width, canvas.height, (Colour){0xff, 0xff, 0xff});
        for (const SceneItem *item = scene->first; item; item = item->next)
            draw(&canvas, item);
        done = png_encode(canvas.pixels, canvas.width, canvas.height, 3, png, err);
    } else {
        error_add(err, "a picture of %d x %d pixels does not fit into memory", canvas.width, canvas.height);
    }
    arena_free(scratch);
    return done;
}
