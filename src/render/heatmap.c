#include "render/heatmap.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "render/font.h"
#include "render/labels.h"
#include "render/quantile.h"

/* In points; a PNG has two pixels a point. */
#define LABEL_SIZE 12.0
#define TITLE_SIZE 15.0
#define MARGIN 14.0
#define TITLE_HEIGHT 34.0
#define TICK 4.0
#define BAR_WIDTH 14.0
#define BAR_ROOM 96.0
#define LEGEND_LINE 20.0

enum { WIDTH_MOST = 2000, CELL_MOST = 200, LABEL_PITCH = 28 }; /* pixels */

static const Colour axis_colour = {0x66, 0x66, 0x66};

/* Everything that has a place, in pixels of the PNG except where it says points. */
typedef struct Layout {
    int rows, columns, cell_width, row_height, plot_width, plot_height;
    double left, top, width, height; /* points; the plot's corner and the picture's size */
    int low, high;                   /* decades */
    double *centers;
    bool has[4]; /* which states occur, by SeriesState */
} Layout;

void heatmap_range(const Heatmap *heatmap, Arena *arena, int *low, int *high)
{
    *low = heatmap->decade_low;
    *high = heatmap->decade_high;
    if (heatmap->has_range)
        return;
    Arena *scratch = arena_new(arena);
    QuantileSketch sketch;
    quantile_init(&sketch, scratch);
    for (int row = 0; row < series_rows(heatmap->series); row++) {
        double center = series_row_center(heatmap->series, row);
        for (int column = 0; column < series_columns(heatmap->series); column++) {
            const SeriesCell *cell = series_cell(heatmap->series, row, column);
            if (series_state(cell) == SERIES_FINITE)
                quantile_add(&sketch, pow(10, series_extreme(cell, center)));
        }
    }
    /* The sketch is exact to 1 %: a value of just 1e-3 must not open a decade below it. */
    bool is_empty = sketch.count == 0;
    *low = is_empty ? -2 : (int)floor(log10(quantile_at(&sketch, 0.01)) + 0.005);
    *high = is_empty ? 0 : (int)ceil(log10(quantile_at(&sketch, 0.99)) - 0.005);
    for (int turn = 0; *high - *low < 2; turn++)
        *(turn % 2 ? low : high) += turn % 2 ? -1 : 1;
    arena_free(scratch);
}

Pixel heatmap_cell(const Heatmap *heatmap, int low, int high, double center, const SeriesCell *cell)
{
    Colour colour = COLOUR_MISSING;
    SeriesState state = series_state(cell);
    if (state == SERIES_NONFINITE)
        colour = COLOUR_NONFINITE;
    else if (state == SERIES_ZERO)
        colour = COLOUR_ZERO;
    else if (state == SERIES_FINITE)
        colour = palette_colour(heatmap->palette, (series_extreme(cell, center) - low) / (high - low));
    return (Pixel){colour.red, colour.green, colour.blue, state == SERIES_MISSING ? 0 : 255};
}

static Layout layout_of(Arena *arena, const Heatmap *heatmap)
{
    Layout layout = {.rows = series_rows(heatmap->series), .columns = series_columns(heatmap->series)};
    heatmap_range(heatmap, arena, &layout.low, &layout.high);
    layout.cell_width = WIDTH_MOST / layout.columns < CELL_MOST ? WIDTH_MOST / layout.columns : CELL_MOST;
    int fitting = layout.rows <= 64 ? 900 / layout.rows : 1800 / layout.rows;
    int least = layout.rows <= 64 ? LABEL_PITCH : layout.rows <= 2000 ? 2 : 1;
    layout.row_height = fitting < least ? least : fitting > 72 ? 72 : fitting;
    layout.plot_width = layout.cell_width * layout.columns;
    layout.plot_height = layout.row_height * layout.rows;

    double name_width = 0;
    for (int row = 0; row < layout.rows; row++)
        name_width = fmax(name_width, font_width(label_name(arena, heatmap->names[row]), LABEL_SIZE));
    layout.left = ceil(MARGIN + name_width + 10);
    layout.top = TITLE_HEIGHT + 6;
    layout.centers = ARENA_ARRAY(arena, double, layout.rows);
    for (int row = 0; row < layout.rows; row++) {
        layout.centers[row] = series_row_center(heatmap->series, row);
        for (int column = 0; column < layout.columns; column++)
            layout.has[series_state(series_cell(heatmap->series, row, column))] = true;
    }
    double natural = layout.left + (double)layout.plot_width / SCENE_SCALE + BAR_ROOM;
    layout.width = ceil(fmax(natural, font_width(heatmap->title, TITLE_SIZE) + 2 * MARGIN));
    /* The colour scale needs room for its labels beside few rows. */
    double body = fmax((double)layout.plot_height / SCENE_SCALE, 130);
    bool has_legend = layout.has[SERIES_MISSING] || layout.has[SERIES_ZERO] || layout.has[SERIES_NONFINITE];
    bool has_note = series_column_width(heatmap->series) > 1;
    layout.height = ceil(layout.top + body + 48 + (has_legend ? LEGEND_LINE : 0) + (has_note ? LEGEND_LINE : 0));
    return layout;
}

static void add_names(Scene *scene, const Heatmap *heatmap, const Layout *layout)
{
    int every = (LABEL_PITCH + layout->row_height - 1) / layout->row_height;
    for (int row = 0; row < layout->rows; row += every) {
        double y = layout->top + (row + 0.5) * layout->row_height / SCENE_SCALE;
        scene_text(scene, layout->left - 8, y + 0.35 * LABEL_SIZE, LABEL_SIZE, ANCHOR_END,
                   label_name(scene->arena, heatmap->names[row]));
        scene_line(scene, layout->left - TICK, floor(y), layout->left, floor(y), axis_colour);
    }
}

/* The place of a step in points: where its column is, and in it by its share of the column's steps. */
static double place_of_step(const Heatmap *heatmap, const Layout *layout, int64_t step)
{
    int column = 0;
    while (column + 1 < layout->columns && series_last_step(heatmap->series, column) < step)
        column++;
    int64_t first = series_first_step(heatmap->series, column), last = series_last_step(heatmap->series, column);
    double part = step <= first && first < last ? 0 : ((double)(step - first) + 0.5) / ((double)(last - first) + 1);
    part = fmin(fmax(part, 0), 1);
    return layout->left + (column + part) * layout->cell_width / SCENE_SCALE;
}

static void add_steps(Scene *scene, const Heatmap *heatmap, const Layout *layout)
{
    double bottom = layout->top + (double)layout->plot_height / SCENE_SCALE, width = (double)layout->plot_width / SCENE_SCALE;
    int64_t first = series_first_step(heatmap->series, 0), last = series_last_step(heatmap->series, layout->columns - 1);
    int64_t distance = label_step_distance(last - first, width > 300 ? 9 : width > 120 ? 5 : 2);
    double taken = -100;
    for (int64_t step = first - (first % distance + distance) % distance; step <= last; step += distance) {
        /* Round steps start at 0, which does not exist: the first tick is then the first step. */
        int64_t shown = step < first ? first : step;
        double x = place_of_step(heatmap, layout, shown);
        const char *label = label_count(scene->arena, shown);
        double half = font_width(label, LABEL_SIZE) / 2;
        if (x - half < taken + 6)
            continue;
        scene_line(scene, x, bottom + 0.5, x, bottom + 0.5 + TICK, axis_colour);
        scene_text(scene, x, bottom + 18, LABEL_SIZE, ANCHOR_MIDDLE, label);
        taken = x + half;
    }
    scene_text(scene, layout->left + width / 2, bottom + 37, LABEL_SIZE, ANCHOR_MIDDLE, "step");
}

static void add_scale(Scene *scene, const Heatmap *heatmap, const Layout *layout)
{
    double x = layout->left + (double)layout->plot_width / SCENE_SCALE + 20;
    double height = fmin(fmax((double)layout->plot_height / SCENE_SCALE, 130), 420);
    int steps = (int)height * SCENE_SCALE;
    Pixel *pixels = ARENA_ARRAY(scene->arena, Pixel, steps);
    for (int i = 0; i < steps; i++) {
        Colour colour = palette_colour(heatmap->palette, 1 - (i + 0.5) / steps);
        pixels[i] = (Pixel){colour.red, colour.green, colour.blue, 255};
    }
    scene_cells(scene, x, layout->top, BAR_WIDTH, floor(height), pixels, 1, steps);
    scene_frame(scene, x, layout->top, BAR_WIDTH, floor(height), axis_colour);
    int decades = layout->high - layout->low, most = (int)(height / 22);
    int every = (decades + most - 1) / most;
    for (int decade = layout->low; decade <= layout->high; decade += every) {
        double y = layout->top + floor(height) * (layout->high - decade) / decades;
        scene_line(scene, x + BAR_WIDTH, y, x + BAR_WIDTH + TICK, y, axis_colour);
        SceneItem *label = scene_text(scene, x + BAR_WIDTH + 7, y + 0.4 * LABEL_SIZE, LABEL_SIZE, ANCHOR_START, "10");
        label->superscript = arena_printf(scene->arena, "%d", decade);
    }
    SceneItem *title =
        scene_text(scene, x + BAR_WIDTH + 52, layout->top + floor(height) / 2, LABEL_SIZE, ANCHOR_MIDDLE, heatmap->quantity);
    title->is_upright = true;
}

static void add_legend(Scene *scene, const Heatmap *heatmap, const Layout *layout)
{
    static const struct {
        SeriesState state;
        const char *text;
    } entries[] = {
        {SERIES_NONFINITE, "non-finite (NaN, infinity)"}, {SERIES_ZERO, "exactly zero"}, {SERIES_MISSING, "not logged"}};
    const Colour colours[] = {COLOUR_NONFINITE, COLOUR_ZERO, COLOUR_MISSING};
    double y = layout->height - 14, x = layout->left;
    int64_t width = series_column_width(heatmap->series);
    if (width > 1) {
        scene_text(
            scene, x, y, 10.5, ANCHOR_START,
            arena_printf(scene->arena, "a column is %" PRId64 " observations: the one farthest from its row's middle", width));
        y -= LEGEND_LINE;
    }
    for (int i = 0; i < 3; i++) {
        if (!layout->has[entries[i].state])
            continue;
        scene_rectangle(scene, x, y - 10, 12, 12, colours[i]);
        scene_frame(scene, x, y - 10, 12, 12, axis_colour);
        scene_text(scene, x + 18, y, LABEL_SIZE, ANCHOR_START, entries[i].text);
        x += 18 + font_width(entries[i].text, LABEL_SIZE) + 24;
    }
}

Scene *heatmap_scene(Arena *arena, const Heatmap *heatmap, HeatmapPlace *place, Error *err)
{
    Layout layout = layout_of(arena, heatmap);
    Pixel *cells = arena_try(arena, sizeof(Pixel) * (size_t)layout.rows * (size_t)layout.columns);
    if (!cells) {
        error_add(err, "a heatmap of %d x %d cells does not fit into memory", layout.columns, layout.rows);
        return NULL;
    }
    for (int row = 0; row < layout.rows; row++)
        for (int column = 0; column < layout.columns; column++)
            cells[(size_t)row * (size_t)layout.columns + (size_t)column] =
                heatmap_cell(heatmap, layout.low, layout.high, layout.centers[row], series_cell(heatmap->series, row, column));

    Scene *scene = scene_new(arena, layout.width, layout.height, heatmap->title);
    scene->description = arena_printf(arena, "%s, %d rows, steps %" PRId64 " to %" PRId64 ", colours from 1e%d to 1e%d",
                                      heatmap->quantity, layout.rows, series_first_step(heatmap->series, 0),
                                      series_last_step(heatmap->series, layout.columns - 1), layout.low, layout.high);
    double width = (double)layout.plot_width / SCENE_SCALE, height = (double)layout.plot_height / SCENE_SCALE;
    scene_text(scene, fmax(layout.left, MARGIN), TITLE_HEIGHT - 10, TITLE_SIZE, ANCHOR_START, heatmap->title);
    /* A title wider than the plot starts at the picture's margin instead. */
    if (layout.left + font_width(heatmap->title, TITLE_SIZE) > layout.width - MARGIN)
        scene->last->x = MARGIN;
    scene_cells(scene, layout.left, layout.top, width, height, cells, layout.columns, layout.rows);
    scene_frame(scene, layout.left, layout.top, width, height, axis_colour);
    add_names(scene, heatmap, &layout);
    add_steps(scene, heatmap, &layout);
    add_scale(scene, heatmap, &layout);
    add_legend(scene, heatmap, &layout);
    if (place)
        *place = (HeatmapPlace){.x = (int)(layout.left * SCENE_SCALE),
                                .y = (int)(layout.top * SCENE_SCALE),
                                .cell_width = layout.cell_width,
                                .row_height = layout.row_height};
    return scene;
}
