/* A scene as SVG: vector text and lines, and the cells as an embedded PNG. */
#include <string.h>

#include "render/scene.h"

static void add_escaped(Text *svg, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            text_add(svg, "&amp;");
            break;
        case '<':
            text_add(svg, "&lt;");
            break;
        case '>':
            text_add(svg, "&gt;");
            break;
        case '"':
            text_add(svg, "&quot;");
            break;
        default:
            /* XML 1.0 has no way to write the other control characters. */
            text_add_char(svg, (unsigned char)*text < 0x20 ? ' ' : *text);
        }
    }
}

static void add_base64(Text *svg, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        unsigned value = (unsigned)bytes[i] << 16;
        value |= i + 1 < count ? (unsigned)bytes[i + 1] << 8 : 0;
        value |= i + 2 < count ? bytes[i + 2] : 0;
        text_add_char(svg, digits[value >> 18]);
        text_add_char(svg, digits[value >> 12 & 63]);
        text_add_char(svg, i + 1 < count ? digits[value >> 6 & 63] : '=');
        text_add_char(svg, i + 2 < count ? digits[value & 63] : '=');
    }
}

static void add_text(Text *svg, const SceneItem *item)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    text_printf(svg, "<text x=\"%g\" y=\"%g\" font-size=\"%g\" text-anchor=\"%s\" fill=\"#%02x%02x%02x\"", item->x, item->y,
                item->size, anchors[item->anchor], item->colour.red, item->colour.green, item->colour.blue);
    if (item->is_upright)
        text_printf(svg, " transform=\"rotate(-90 %g %g)\"", item->x, item->y);
    text_add_char(svg, '>');
    add_escaped(svg, item->text);
    if (item->superscript) {
        text_printf(svg, "<tspan dy=\"%g\" font-size=\"%g\">", -0.42 * item->size, 0.72 * item->size);
        add_escaped(svg, item->superscript);
        text_add(svg, "</tspan>");
    }
    text_add(svg, "</text>\n");
}

/* Some viewers smooth an image that is stretched, so the cells are stretched here, to the pixels of the scene's own PNG;
 * what is repeated packs to nearly nothing. */
static Pixel *stretched(Arena *arena, const SceneItem *item, int *width, int *height)
{
    *width = (int)(item->width * SCENE_SCALE);
    *height = (int)(item->height * SCENE_SCALE);
    Pixel *pixels = arena_try(arena, sizeof(Pixel) * (size_t)*width * (size_t)*height);
    for (int y = 0; pixels && y < *height; y++) {
        const Pixel *row = item->cells + (size_t)((int64_t)y * item->rows / *height) * (size_t)item->columns;
        for (int x = 0; x < *width; x++)
            pixels[(size_t)y * (size_t)*width + (size_t)x] = row[(int64_t)x * item->columns / *width];
    }
    return pixels;
}

static bool add_cells(Text *svg, Arena *arena, const SceneItem *item, Error *err)
{
    Arena *scratch = arena_new(arena);
    Text png = text_new(scratch);
    int width, height;
    const Pixel *pixels = stretched(scratch, item, &width, &height);
    bool done = pixels ? png_encode(pixels, width, height, 4, &png, err)
                       : error_add(err, "a picture of %d x %d pixels does not fit into memory", width, height);
    text_printf(svg,
                "<image x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" preserveAspectRatio=\"none\" "
                "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,",
                item->x, item->y, item->width, item->height);
    add_base64(svg, (const unsigned char *)png.at, png.length);
    text_add(svg, "\"/>\n");
    arena_free(scratch);
    return done;
}

static bool add_item(Text *svg, Arena *arena, const SceneItem *item, Error *err)
{
    const Colour colour = item->colour;
    switch (item->kind) {
    case SCENE_RECTANGLE:
        text_printf(svg, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%02x%02x%02x\"/>\n", item->x, item->y,
                    item->width, item->height, colour.red, colour.green, colour.blue);
        return true;
    case SCENE_FRAME:
        text_printf(svg,
                    "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\" stroke=\"#%02x%02x%02x\" "
                    "stroke-width=\"0.5\"/>\n",
                    item->x - 0.25, item->y - 0.25, item->width + 0.5, item->height + 0.5, colour.red, colour.green,
                    colour.blue);
        return true;
    case SCENE_LINE:
        text_printf(svg, "<path d=\"M%g %gl%g %g\" stroke=\"#%02x%02x%02x\" stroke-width=\"0.5\"/>\n", item->x, item->y,
                    item->width, item->height, colour.red, colour.green, colour.blue);
        return true;
    case SCENE_TEXT:
        add_text(svg, item);
        return true;
    case SCENE_CELLS:
        return add_cells(svg, arena, item, err);
    }
    return true;
}

bool scene_svg(const Scene *scene, Text *svg, Error *err)
{
    text_printf(svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\" "
                "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n<title>",
                scene->width, scene->height, scene->width, scene->height);
    add_escaped(svg, scene->title);
    text_add(svg, "</title>\n<desc>");
    add_escaped(svg, scene->description);
    text_add(svg, "</desc>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    bool done = true;
    for (const SceneItem *item = scene->first; done && item; item = item->next)
        done = add_item(svg, scene->arena, item, err);
    text_add(svg, "</svg>\n");
    return done;
}
