/* Which magnitudes gradients have, and which number formats hold: a row a parameter, a column a power of two, and below them a
 * bar for each format. */
#include <math.h>

#include "render/font.h"
#include "render/labels.h"
#include "render/plot_output.h"

/* In points; a PNG has two pixels a point. */
#define LABEL_SIZE 12.0
#define TITLE_SIZE 15.0
#define MARGIN 14.0
#define TICK 4.0
#define SHARE_ROOM 76.0
#define BAND_HEIGHT 11.0
#define BAND_PITCH 24.0
#define SCALE_WIDTH 14.0

/* Pixels, and decades of the colour scale: 1e-4 of a parameter's values is faint, all of them bright. */
enum { WIDTH_MOST = 1300, CELL_MOST = 24, ROW_PITCH = 28, DECADES = 4 };

static const Colour axis_colour = {0x66, 0x66, 0x66};
static const Colour full_colour = {0x00, 0x72, 0xb2}, subnormal_colour = {0xa6, 0xcc, 0xe6}, border_colour = {0xd5, 0x5e, 0x00};

typedef struct Layout {
    const PrecisionLog *log;
    const Palette *palette;
    const char *title;
    int first, columns; /* exponents */
    int rows, cell_width, row_height;
    BestScale scale;   /* of fp16, all parameters */
    int share_columns; /* fp16 plainly, and at that scale */
    double left, top, plot_width, plot_height, width, height;
} Layout;

/* The exponents that occur, and all of fp16's with and without the loss scale, so that the distance to its ends is seen. */
static void find_columns(Layout *layout)
{
    const ExponentHistogram *sum = &layout->log->total.sum;
    int low = format_range[FORMAT_FP16].smallest - 4, high = format_range[FORMAT_FP16].top + 1;
    low -= layout->scale.best > 0 ? layout->scale.best : 0;
    for (int e = EXPONENT_FIRST; e <= EXPONENT_LAST; e++) {
        if (!sum->count[e - EXPONENT_FIRST])
            continue;
        low = e < low ? e : low;
        high = e > high ? e : high;
    }
    layout->first = low;
    layout->columns = high - low + 1;
}

static Layout layout_of(PlotOutput *out)
{
    Layout layout = {.log = &out->data->precision, .palette = out->palette, .rows = out->data->precision.count};
    layout.title =
        arena_printf(out->scratch, "Gradient magnitudes and what number formats hold \xe2\x80\x94 %s", out->data->title);
    layout.scale = precision_loss_scale(&layout.log->total, FORMAT_FP16);
    layout.share_columns = layout.scale.best ? 2 : 1;
    find_columns(&layout);
    int fitting = WIDTH_MOST / layout.columns;
    layout.cell_width = fitting < 2 ? 2 : fitting > CELL_MOST ? CELL_MOST : fitting;
    fitting = layout.rows <= 64 ? 900 / layout.rows : 1800 / layout.rows;
    int least = layout.rows <= 64 ? ROW_PITCH : layout.rows <= 2000 ? 2 : 1;
    layout.row_height = fitting < least ? least : fitting > 40 ? 40 : fitting;
    layout.plot_width = (double)(layout.cell_width * layout.columns) / SCENE_SCALE;
    layout.plot_height = (double)layout.row_height * layout.rows / SCENE_SCALE;
    double name_width = font_width("fp16 at scale 2-000", LABEL_SIZE);
    for (int row = 0; row < layout.rows; row++)
        name_width = fmax(name_width, font_width(label_name(out->scratch, layout.log->rows[row]->name), LABEL_SIZE));
    layout.left = ceil(MARGIN + name_width + 10);
    layout.top = 76;
    double natural = layout.left + layout.plot_width + layout.share_columns * SHARE_ROOM + 96;
    layout.width = ceil(fmax(natural, font_width(layout.title, TITLE_SIZE) + 2 * MARGIN));
    layout.height = ceil(layout.top + layout.plot_height + 44 + (FORMAT_COUNT + layout.share_columns) * BAND_PITCH + 14);
    return layout;
}

/* Where 2^exponent lies; a column goes from 2^e to 2^(e+1). */
static double place_of(const Layout *layout, int exponent)
{
    int column = exponent - layout->first;
    column = column < 0 ? 0 : column > layout->columns ? layout->columns : column;
    return layout->left + (double)(column * layout->cell_width) / SCENE_SCALE;
}

static Pixel cell_of(const Layout *layout, uint64_t count, uint64_t all)
{
    if (!count)
        return (Pixel){0, 0, 0, 0};
    Colour colour = palette_colour(layout->palette, 1 + log10(loss_share(count, all)) / DECADES);
    return (Pixel){colour.red, colour.green, colour.blue, 255};
}

static bool add_cells(Scene *scene, const Layout *layout, Error *err)
{
    size_t columns = (size_t)layout->columns;
    Pixel *cells = arena_try(scene->arena, sizeof *cells * columns * (size_t)layout->rows);
    if (!cells)
        return error_add(err, "a picture of %d rows does not fit into memory", layout->rows);
    for (int row = 0; row < layout->rows; row++) {
        const ExponentHistogram *sum = &layout->log->rows[row]->loss.sum;
        uint64_t all = exponents_below(sum, EXPONENT_LAST + 1);
        for (int column = 0; column < layout->columns; column++) {
            int bin = layout->first + column - EXPONENT_FIRST;
            uint64_t count = bin >= 0 && bin < EXPONENT_BINS ? sum->count[bin] : 0;
            cells[(size_t)row * columns + (size_t)column] = cell_of(layout, count, all);
        }
    }
    scene_cells(scene, layout->left, layout->top, layout->plot_width, layout->plot_height, cells, layout->columns,
                layout->rows);
    scene_frame(scene, layout->left, layout->top, layout->plot_width, layout->plot_height, axis_colour);
    return true;
}

static const char *share_label(Arena *arena, double share)
{
    double percent = 100 * share;
    if (percent == 0 || percent == 100)
        return arena_printf(arena, "%.0f%%", percent);
    return percent < 0.1 ? "<0.1%" : percent > 99.9 ? ">99.9%" : arena_printf(arena, "%.1f%%", percent);
}

/* What fp16 makes of a row, plainly and at the one scale for all. */
static void add_shares(Scene *scene, const Layout *layout, const ExponentHistogram *sum, double y)
{
    double right = layout->left + layout->plot_width;
    for (int i = 0; i < layout->share_columns; i++) {
        FormatLoss at = format_loss(sum, FORMAT_FP16, i ? layout->scale.best : 0);
        const char *text = at.counted ? share_label(scene->arena, loss_share(at.underflow + at.overflow, at.counted)) : "-";
        SceneItem *item = scene_text(scene, right + (i + 1) * SHARE_ROOM - 14, y, LABEL_SIZE, ANCHOR_END, text);
        if (at.underflow + at.overflow)
            item->colour = border_colour;
    }
}

static void add_rows(Scene *scene, const Layout *layout)
{
    int every = (ROW_PITCH + layout->row_height - 1) / layout->row_height;
    for (int row = 0; row < layout->rows; row += every) {
        double y = layout->top + (row + 0.5) * layout->row_height / SCENE_SCALE;
        scene_text(scene, layout->left - 8, y + 0.35 * LABEL_SIZE, LABEL_SIZE, ANCHOR_END,
                   label_name(scene->arena, layout->log->rows[row]->name));
        scene_line(scene, layout->left - TICK, floor(y), layout->left, floor(y), axis_colour);
        add_shares(scene, layout, &layout->log->rows[row]->loss.sum, y + 0.35 * LABEL_SIZE);
    }
}

static void add_heads(Scene *scene, const Layout *layout)
{
    double right = layout->left + layout->plot_width, y = layout->top - 8;
    scene_text(scene, right + layout->share_columns * SHARE_ROOM - 14, y - 17, LABEL_SIZE, ANCHOR_END, "lost in fp16");
    scene_text(scene, right + SHARE_ROOM - 14, y, LABEL_SIZE, ANCHOR_END, "plain");
    if (layout->share_columns > 1) {
        SceneItem *scaled = scene_text(scene, right + 2 * SHARE_ROOM - 14, y, LABEL_SIZE, ANCHOR_END, "at 2");
        scaled->superscript = arena_printf(scene->arena, "%d", layout->scale.best);
    }
}

static void add_magnitudes(Scene *scene, const Layout *layout)
{
    double bottom = layout->top + layout->plot_height;
    int64_t every = label_step_distance(layout->columns, (int)(layout->plot_width / 45));
    for (int e = layout->first; e <= layout->first + layout->columns; e++) {
        double x = place_of(layout, e);
        if (e % every || x - layout->left < LABEL_SIZE) /* the axis is named there */
            continue;
        scene_line(scene, x, bottom + 0.5, x, bottom + 0.5 + TICK, axis_colour);
        SceneItem *label = scene_text(scene, x, bottom + 20, LABEL_SIZE, ANCHOR_MIDDLE, "2");
        label->superscript = arena_printf(scene->arena, "%d", e);
    }
    scene_text(scene, layout->left - 8, bottom + 20, LABEL_SIZE, ANCHOR_END, "magnitude");
}

/* One format: pale where it is subnormal, solid where it has all digits, cut off where it goes on beyond the picture. */
static void add_band(Scene *scene, const Layout *layout, NumberFormat format, int scale, double y)
{
    const FormatRange *range = &format_range[format];
    double zero = place_of(layout, range->smallest - 1 - scale), normal = place_of(layout, range->normal - scale);
    double end = place_of(layout, range->top + 1 - scale);
    SceneItem *label = scene_text(scene, layout->left - 8, y + BAND_HEIGHT - 1, LABEL_SIZE, ANCHOR_END,
                                  scale ? arena_printf(scene->arena, "%s at scale 2", range->name) : range->name);
    if (scale)
        label->superscript = arena_printf(scene->arena, "%d", scale);
    scene_rectangle(scene, zero, y, normal - zero, BAND_HEIGHT, subnormal_colour);
    scene_rectangle(scene, normal, y, end - normal, BAND_HEIGHT, full_colour);
}

static void add_bands(Scene *scene, const Layout *layout)
{
    static const NumberFormat order[] = {FORMAT_FP16, FORMAT_BF16, FORMAT_E5M2, FORMAT_E4M3};
    double y = layout->top + layout->plot_height + 40;
    for (int i = 0; i < FORMAT_COUNT; i++) {
        add_band(scene, layout, order[i], 0, y);
        y += BAND_PITCH;
        if (order[i] != FORMAT_FP16 || !layout->scale.best)
            continue;
        add_band(scene, layout, FORMAT_FP16, layout->scale.best, y);
        y += BAND_PITCH;
    }
    double x = layout->left;
    const Colour colours[] = {full_colour, subnormal_colour};
    static const char *const meaning[] = {"all digits", "subnormal: fewer digits"};
    for (int i = 0; i < 2; i++) {
        scene_rectangle(scene, x, y, 12, BAND_HEIGHT, colours[i]);
        scene_text(scene, x + 18, y + BAND_HEIGHT - 1, LABEL_SIZE, ANCHOR_START, meaning[i]);
        x += 18 + font_width(meaning[i], LABEL_SIZE) + 22;
    }
    scene_text(scene, x, y + BAND_HEIGHT - 1, LABEL_SIZE, ANCHOR_START, "outside: lost to zero or infinity");
}

/* Where fp16 begins to flush and to overflow, through all rows. */
static void add_borders(Scene *scene, const Layout *layout)
{
    const FormatRange *range = &format_range[FORMAT_FP16];
    double zero = place_of(layout, range->smallest - 1), end = place_of(layout, range->top + 1);
    double bottom = layout->top + layout->plot_height;
    scene_line(scene, zero, layout->top, zero, bottom, border_colour);
    scene_line(scene, end, layout->top, end, bottom, border_colour);
}

static void add_colours(Scene *scene, const Layout *layout)
{
    enum { STEPS = 200 };
    double x = layout->left + layout->plot_width + layout->share_columns * SHARE_ROOM + 12,
           height = fmin(fmax(layout->plot_height, 120), 300);
    Pixel *pixels = ARENA_ARRAY(scene->arena, Pixel, STEPS);
    for (int i = 0; i < STEPS; i++) {
        Colour colour = palette_colour(layout->palette, 1 - (i + 0.5) / STEPS);
        pixels[i] = (Pixel){colour.red, colour.green, colour.blue, 255};
    }
    scene_cells(scene, x, layout->top, SCALE_WIDTH, floor(height), pixels, 1, STEPS);
    scene_frame(scene, x, layout->top, SCALE_WIDTH, floor(height), axis_colour);
    static const char *const labels[DECADES + 1] = {"100%", "10%", "1%", "0.1%", "0.01%"};
    for (int i = 0; i <= DECADES; i++) {
        double y = layout->top + floor(height) * i / DECADES;
        scene_line(scene, x + SCALE_WIDTH, y, x + SCALE_WIDTH + TICK, y, axis_colour);
        scene_text(scene, x + SCALE_WIDTH + 7, y + 0.35 * LABEL_SIZE, LABEL_SIZE, ANCHOR_START, labels[i]);
    }
    scene_text(scene, x, layout->top - 12, LABEL_SIZE, ANCHOR_START, "share of row");
}

static void add_title(Scene *scene, const Layout *layout)
{
    const PrecisionLoss *total = &layout->log->total;
    FormatLoss plain = format_loss(&total->sum, FORMAT_FP16, 0);
    const char *lost = share_label(scene->arena, loss_share(plain.underflow + plain.overflow, plain.counted));
    scene_text(scene, MARGIN, 24, TITLE_SIZE, ANCHOR_START, layout->title);
    SceneItem *item = scene_text(scene, MARGIN, 44, LABEL_SIZE, ANCHOR_START,
                                 arena_printf(scene->arena, "fp16 loses %s of all values; best loss scale 2", lost));
    item->superscript = arena_printf(scene->arena, "%d", layout->scale.best);
    item->colour = axis_colour;
}

static bool has_data(const PlotData *data)
{
    return exponents_below(&data->precision.total.sum, EXPONENT_LAST + 1) > 0;
}

static bool draw(PlotOutput *out, Error *err)
{
    Layout layout = layout_of(out);
    Scene *scene = scene_new(out->scratch, layout.width, layout.height, layout.title);
    add_title(scene, &layout);
    if (!add_cells(scene, &layout, err))
        return false;
    add_borders(scene, &layout);
    add_rows(scene, &layout);
    add_heads(scene, &layout);
    add_magnitudes(scene, &layout);
    add_bands(scene, &layout);
    add_colours(scene, &layout);
    return plot_output_scene(out, "precision", scene, err);
}

const Plot plot_precision = {
    .name = "precision",
    .help = "magnitudes of each parameter's gradient, beside what float16, bfloat16 and fp8 hold",
    .needs = "`histogram` events of gradients that are not all zero (monitor.histogram_every)",
    .has_data = has_data,
    .draw = draw,
};
