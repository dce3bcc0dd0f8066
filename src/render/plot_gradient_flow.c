/* The spread of the gradient in each layer over the whole run: does it reach the first layer? */
#include <math.h>

#include "render/font.h"
#include "render/gnuplot.h"
#include "render/labels.h"
#include "render/plot_output.h"

enum { WIDTH = 820, TOP = 46, BOTTOM = 66, GAP = 40, ROWS_MOST = 400 };
#define NAME_SIZE 11.0

/* One panel: the rows of a matrix that are shown, in forward order with the input on top. */
typedef struct Panel {
    const PlotMatrix *matrix;
    const char *quantity;
    const char *block; /* prefix of its data blocks */
    const int *rows;
    int count, pitch, height; /* points a row, points in all */
} Panel;

static bool has_data(const PlotData *data)
{
    return data->gradients.series && data->gradients.rows > 0;
}

static Panel panel_new(PlotOutput *out, const PlotMatrix *matrix, const char *quantity, const char *block, bool only_main)
{
    int *rows = ARENA_ARRAY(out->scratch, int, matrix->rows + 1);
    int count = 0;
    for (int row = 0; row < matrix->rows; row++)
        if (!only_main || plot_data_is_main(out->data, row))
            rows[count++] = row;
    if (count > ROWS_MOST) {
        plot_output_note(out, arena_printf(out->scratch, "gradient_flow has %d of %d layers", ROWS_MOST, count));
        for (int i = 0; i < ROWS_MOST; i++)
            rows[i] = rows[(int64_t)i * (count - 1) / (ROWS_MOST - 1)];
        count = ROWS_MOST;
    }
    int pitch = count <= 12 ? 24 : count <= 100 ? 16 : 8;
    return (Panel){matrix, quantity, block, rows, count, pitch, count * pitch};
}

/* A row's place on the y axis: the first is on top. */
static double place(const Panel *panel, int i)
{
    return panel->count - i;
}

static bool has_nonfinite(const Panel *panel)
{
    for (int i = 0; i < panel->count; i++)
        if (panel->matrix->spread[panel->rows[i]].nonfinite > 0)
            return true;
    return false;
}

static PlotRange range_of(const Panel *panel)
{
    double low = NAN, high = NAN;
    for (int i = 0; i < panel->count; i++) {
        const QuantileSketch *spread = &panel->matrix->spread[panel->rows[i]];
        if (spread->count == 0)
            continue;
        low = low <= spread->low ? low : spread->low;
        high = high >= spread->high ? high : spread->high;
    }
    return plot_range_log(low, high);
}

static void add_boxes(Text *script, const Panel *panel, bool red)
{
    text_printf(script, "$%s%s << EOD\n", panel->block, red ? "red" : "");
    for (int i = 0; i < panel->count; i++) {
        const QuantileSketch *spread = &panel->matrix->spread[panel->rows[i]];
        if (spread->count > 0 && (spread->nonfinite > 0) == red)
            text_printf(script, "%g %.9g %.9g %.9g %.9g %.9g\n", place(panel, i), spread->low, quantile_at(spread, 0.25),
                        quantile_at(spread, 0.5), quantile_at(spread, 0.75), spread->high);
    }
    text_add(script, "NaN NaN NaN NaN NaN NaN\nEOD\n");
}

static void add_names(Text *script, const Panel *panel, Arena *arena)
{
    text_add(script, "set ytics scale 0 noenhanced (");
    int every = (14 + panel->pitch - 1) / panel->pitch;
    for (int i = 0; i < panel->count; i += every) {
        text_add(script, i ? ", " : "");
        gnuplot_quote_tick(script, label_name(arena, panel->matrix->names[panel->rows[i]]));
        text_printf(script, " %g", place(panel, i));
    }
    text_printf(script, ")\nset yrange [0.4:%g]\n", panel->count + 0.6);
}

/* What a box cannot say: no value that has a logarithm. */
static void add_marks(Text *script, const Panel *panel)
{
    for (int i = 0; i < panel->count; i++) {
        const QuantileSketch *spread = &panel->matrix->spread[panel->rows[i]];
        if (spread->count > 0)
            continue;
        bool is_bad = spread->nonfinite > 0, is_zero = spread->zeros > 0;
        text_printf(script, "set label %d '%s' at graph 0, first %g left offset character 0.5, 0 textcolor rgb '%s' front\n",
                    i + 1,
                    is_bad    ? "never finite"
                    : is_zero ? "0 (always exactly zero)"
                              : "no gradient",
                    place(panel, i), is_bad ? "#c00070" : "#666666");
    }
}

static void draw_panel(Text *script, PlotOutput *out, const Panel *panel)
{
    PlotRange range = range_of(panel);
    plot_script_axis(script, 'x', &range);
    add_names(script, panel, out->scratch);
    add_marks(script, panel);
    add_boxes(script, panel, false);
    add_boxes(script, panel, true);
    text_add(script, "set xlabel ");
    const char *warning = has_nonfinite(panel) ? " (pink: was non-finite)" : "";
    gnuplot_quote(script, arena_printf(out->scratch, "%s%s", panel->quantity, warning));
    text_add(script, " noenhanced textcolor '#222222'\nplot ");
    for (int red = 0; red < 2; red++) {
        const char *name = arena_printf(out->scratch, "$%s%s", panel->block, red ? "red" : "");
        const char *dark = red ? "#c00070" : "#0072b2", *light = red ? "#ff9cd0" : "#9ecae8";
        text_printf(script,
                    "%s%s using 4:1:2:6 with xerrorbars pointtype -1 linewidth 1 linecolor rgb '%s' notitle, "
                    "%s using 4:1:3:5:($1-0.32):($1+0.32) with boxxyerror fillcolor rgb '%s' fillstyle solid border linecolor "
                    "rgb '%s' notitle, "
                    "%s using 4:($1-0.32):(0):(0.64) with vectors nohead linewidth 2 linecolor rgb '%s' notitle",
                    red ? ", " : "", name, dark, name, light, dark, name, dark);
    }
    text_printf(script, "\nunset label 1000\n");
    for (int i = 0; i < panel->count; i++)
        if (panel->matrix->spread[panel->rows[i]].count == 0)
            text_printf(script, "unset label %d\n", i + 1);
}

static double name_width(const Panel *panel, Arena *arena)
{
    double width = 0;
    for (int i = 0; i < panel->count; i++)
        width = fmax(width, font_width(label_name(arena, panel->matrix->names[panel->rows[i]]), NAME_SIZE * 1.25));
    return width;
}

static bool draw(PlotOutput *out, Error *err)
{
    const PlotData *data = out->data;
    Panel panels[2];
    int count = 0;
    panels[count++] = panel_new(out, &data->gradients,
                                "2-norm of the gradient of the weights, all steps: range, quartiles, median", "weights", true);
    if (data->activation_gradients.series && data->activation_gradients.rows > 0)
        panels[count++] =
            panel_new(out, &data->activation_gradients,
                      "RMS of the gradient of the layer's output, all steps: range, quartiles, median", "outputs", false);
    int height = TOP + BOTTOM;
    double left = 60;
    for (int i = 0; i < count; i++) {
        height += panels[i].height + (i > 0 ? GAP + BOTTOM / 2 : 0);
        left = fmax(left, name_width(&panels[i], out->scratch) + 24);
    }
    Text script = plot_script_new(out, "Gradient flow");
    text_printf(&script,
                "unset grid\nset grid xtics linetype 1 linecolor '#e2e2e2' linewidth 0.5\nset errorbars small\nset multiplot\n"
                "set lmargin at screen %.6f\nset rmargin at screen %.6f\n",
                left / WIDTH, 1 - 32.0 / WIDTH);
    int top = TOP;
    for (int i = 0; i < count; i++) {
        text_printf(&script, "set tmargin at screen %.6f\nset bmargin at screen %.6f\n", 1 - (double)top / height,
                    1 - (double)(top + panels[i].height) / height);
        draw_panel(&script, out, &panels[i]);
        top += panels[i].height + GAP + BOTTOM / 2;
    }
    text_add(&script, "unset multiplot\n");
    return plot_output_script(out, "gradient_flow", WIDTH, height, &script, err);
}

const Plot plot_gradient_flow = {
    .name = "gradient_flow",
    .help = "a box per layer, input on top: range, quartiles and median of its gradient over all steps",
    .needs = "`gradients` events (monitor.instruments)",
    .has_data = has_data,
    .draw = draw,
};
