/* What clipping did: the norms before and after, how much was left, how often. */
#include <inttypes.h>
#include <math.h>

#include "render/plot_curve.h"
#include "render/plot_output.h"

static bool has_data(const PlotData *data)
{
    return data->clip_events > 0 && plot_curve_has_values(data->steps, STEP_CLIPPED_NORM);
}

static void draw_norms(Text *script, const PlotData *data)
{
    double low = NAN, high = NAN;
    plot_curve_extent(data->steps, STEP_GRAD_NORM, &low, &high);
    plot_curve_extent(data->steps, STEP_CLIPPED_NORM, &low, &high);
    PlotRange range = plot_range(low, high);
    text_add(script, "set tmargin 4.2\nset bmargin 0.8\nset ylabel 'gradient norm' textcolor '#222222'\n");
    plot_script_axis(script, 'y', &range);
    plot_script_steps(script, data->steps, false);
    plot_curve_data(script, "before", data->steps, STEP_GRAD_NORM, range.is_log);
    plot_curve_data(script, "after", data->steps, STEP_CLIPPED_NORM, range.is_log);
    plot_curve_nonfinite(script, data->steps, STEP_GRAD_NORM);
    text_add(script, "plot ");
    plot_curve_draw(script, "before", data->steps, CURVE_FULL, palette_line(2), "before clipping");
    text_add(script, ", ");
    plot_curve_draw(script, "after", data->steps, CURVE_FULL, palette_line(1), "after clipping");
    if (data->max_norm > 0)
        text_printf(script, ", %.17g with lines dashtype 2 linewidth 1.2 linecolor rgb '#222222' title 'max_norm %g'",
                    data->max_norm, data->max_norm);
    text_add(script, "\nunset label 1000\nunset label 1\nunset object 1\nunset arrow\n");
}

/* Of the observations in a window of 2 % (at least 20) around each column, the part whose coefficient is below 1. */
static void add_fraction(Text *script, const Series *steps)
{
    int columns = series_columns(steps), reach = columns / 100 > 10 ? columns / 100 : 10;
    text_add(script, "$fraction << EOD\n");
    for (int column = 0; column < columns; column++) {
        int clipped = 0, all = 0;
        for (int i = column - reach; i <= column + reach; i++) {
            if (i < 0 || i >= columns || isnan(series_cell(steps, STEP_CLIP_COEFFICIENT, i)->first))
                continue;
            all++;
            clipped += series_cell(steps, STEP_CLIP_COEFFICIENT, i)->first < 1 - 1e-7;
        }
        if (all > 0)
            text_printf(script, "%" PRId64 " %.9g\n", series_first_step(steps, column), (double)clipped / all);
    }
    text_add(script, "NaN NaN\nEOD\n");
}

static bool draw(PlotOutput *out, Error *err)
{
    const Series *steps = out->data->steps;
    Text script = plot_script_new(out, "Gradient clipping");
    text_add(&script, "set lmargin 10\nset rmargin 4\nset multiplot layout 2,1\n");
    draw_norms(&script, out->data);
    text_add(&script, "set tmargin 2\nset bmargin 3.2\nset ylabel 'coefficient, fraction'\n"
                      "set xlabel 'step' textcolor '#222222'\n");
    plot_script_axis(&script, 'y', &(PlotRange){false, 0, 1.05});
    plot_script_steps(&script, steps, true);
    plot_curve_data(&script, "coefficient", steps, STEP_CLIP_COEFFICIENT, false);
    add_fraction(&script, steps);
    text_add(&script, "plot ");
    plot_curve_draw(&script, "coefficient", steps, CURVE_FULL, palette_line(0), "coefficient: norm after / before");
    text_add(&script, ", $fraction using 1:2 with lines linewidth 1.5 linecolor rgb ");
    plot_script_colour(&script, palette_line(3));
    text_add(&script, " title 'fraction of steps clipped'\nunset multiplot\n");
    return plot_output_script(out, "clipping", 800, 580, &script, err);
}

const Plot plot_clipping = {
    .name = "clipping",
    .help = "gradient norm before and after clipping, how much was left and how often",
    .needs = "`clip` events: a run with `clip` in its config that changed something",
    .has_data = has_data,
    .draw = draw,
};
