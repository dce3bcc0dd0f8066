/* How far each layer's weights move in a step, relative to their size: about 1e-3 is healthy. */
#include <math.h>

#include "render/gnuplot.h"
#include "render/labels.h"
#include "render/plot_curve.h"
#include "render/plot_output.h"

enum { LINES_MOST = 64 };

/* The ramp stops short of viridis's yellow, which white paper swallows. */
#define RAMP_END 0.92

static bool is_shown(const PlotData *data, int row)
{
    double low = NAN, high = NAN;
    plot_curve_extent(data->updates.series, row, &low, &high);
    return plot_data_is_main(data, row) && high > 0;
}

static bool has_data(const PlotData *data)
{
    for (int row = 0; data->updates.series && row < data->updates.rows; row++)
        if (is_shown(data, row))
            return true;
    return false;
}

/* So many layers have no colour of their own each: the ramp says how deep, and names at its ends and middle which. */
static void add_ramp(Text *script, PlotOutput *out, const int *rows, int count)
{
    text_add(script, "set palette defined (");
    for (int i = 0; i <= 16; i++) {
        text_printf(script, "%s%d ", i ? ", " : "", i);
        plot_script_colour(script, palette_colour(palette_find(NULL, NULL), RAMP_END * i / 16));
    }
    text_printf(script, ")\nset cbrange [0:%d]\nset colorbox user origin graph 1.08, graph 0.05 size graph 0.025, graph 0.9\n",
                count - 1);
    text_add(script, "set cbtics scale 0.4 noenhanced (");
    const int places[] = {0, (count - 1) / 4, (count - 1) / 2, 3 * (count - 1) / 4, count - 1};
    for (int i = 0; i < 5; i++) {
        text_add(script, i ? ", " : "");
        gnuplot_quote_tick(script, label_name(out->scratch, out->data->updates.names[rows[places[i]]]));
        text_printf(script, " %d", places[i]);
    }
    text_add(script, ")\n");
}

static Colour line_colour(int index, int count)
{
    if (count <= PALETTE_LINES)
        return palette_line(index == 6 ? 7 : index == 7 ? 6 : index); /* yellow last: it is the hardest to see */
    return palette_colour(palette_find(NULL, NULL), RAMP_END * index / (count - 1));
}

/* The rows that have a line: all that are shown, or 64 of them, evenly over the depth. */
static int choose_rows(PlotOutput *out, int *rows)
{
    const PlotData *data = out->data;
    int count = 0;
    for (int row = 0; row < data->updates.rows; row++)
        if (is_shown(data, row))
            rows[count++] = row;
    if (count <= LINES_MOST)
        return count;
    plot_output_note(out, arena_printf(out->scratch, "update_ratio has %d of %d layers", LINES_MOST, count));
    for (int i = 0; i < LINES_MOST; i++)
        rows[i] = rows[(int64_t)i * (count - 1) / (LINES_MOST - 1)];
    return LINES_MOST;
}

static bool draw(PlotOutput *out, Error *err)
{
    const PlotMatrix *updates = &out->data->updates;
    int *rows = ARENA_ARRAY(out->scratch, int, updates->rows);
    int count = choose_rows(out, rows);
    double low = 1e-3, high = 1e-3;
    for (int i = 0; i < count; i++)
        plot_curve_extent(updates->series, rows[i], &low, &high);
    PlotRange range = plot_range_log(low, high);
    int longest = 0;
    for (int i = 0; i < count; i++) {
        int length = text_width(label_name(out->scratch, updates->names[rows[i]]));
        longest = length > longest ? length : longest;
    }

    Text script = plot_script_new(out, "Update-to-weight ratio");
    text_add(&script, "set lmargin 10\nset tmargin 3\nset bmargin 3.2\nset xlabel 'step' textcolor '#222222'\n"
                      "set ylabel 'norm of update / norm of weights' textcolor '#222222'\nset key outside right top vertical\n"
                      "set label 2 '10^{-3}' at graph 1, first 1e-3 left offset character 0.4, 0 textcolor '#666666'\n");
    plot_script_axis(&script, 'y', &range);
    plot_script_steps(&script, updates->series, true);
    if (count > PALETTE_LINES) {
        text_printf(&script, "set rmargin %d\nunset key\n", 13 + longest);
        add_ramp(&script, out, rows, count);
    }
    for (int i = 0; i < count; i++)
        plot_curve_data(&script, arena_printf(out->scratch, "line%d", i), updates->series, rows[i], true);
    text_add(&script, "plot ");
    for (int i = 0; i < count; i++) {
        plot_curve_draw(&script, arena_printf(out->scratch, "line%d", i), updates->series, CURVE_SMOOTH, line_colour(i, count),
                        label_name(out->scratch, updates->names[rows[i]]));
        text_add(&script, ", ");
    }
    /* A point outside the picture makes gnuplot draw the colour scale of the ramp. */
    if (count > PALETTE_LINES)
        text_add(&script, "'+' using (NaN):(NaN):(0) with lines linecolor palette notitle, ");
    text_add(&script, "1e-3 with lines dashtype 2 linewidth 1.2 linecolor rgb '#666666' notitle\n");
    return plot_output_script(out, "update_ratio", 900, 460, &script, err);
}

const Plot plot_update_ratio = {
    .name = "update_ratio",
    .help = "norm of the update over the norm of the weights, a line per layer, with the 1e-3 guide",
    .needs = "`updates` events (monitor.instruments)",
    .has_data = has_data,
    .draw = draw,
};
