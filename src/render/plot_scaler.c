/* The scale that a gradient scaler chose, and the steps that it skipped. */
#include <inttypes.h>
#include <math.h>

#include "render/plot_curve.h"
#include "render/plot_output.h"

static bool has_data(const PlotData *data)
{
    return plot_curve_has_values(data->steps, STEP_SCALE);
}

/* The scale moves by factors: steps between levels, never a slope. */
static void add_levels(Text *script, const Series *steps)
{
    text_add(script, "$scale << EOD\n");
    for (int column = 0; column < series_columns(steps); column++) {
        const SeriesCell *cell = series_cell(steps, STEP_SCALE, column);
        if (cell->low > 0)
            text_printf(script, "%" PRId64 " %.9g %.9g %.9g\n", series_first_step(steps, column), cell->first, cell->low,
                        cell->high);
    }
    text_add(script, "EOD\n");
}

static bool draw(PlotOutput *out, Error *err)
{
    const PlotData *data = out->data;
    double low = NAN, high = NAN;
    plot_curve_extent(data->steps, STEP_SCALE, &low, &high);
    const PlotRange range = plot_range_log(low / 2, high * 2);
    Text script = plot_script_new(out, "Loss scale");
    text_printf(&script,
                "set lmargin 10\nset rmargin 4\nset tmargin 4.2\nset bmargin 3.2\nset ylabel 'scale'\n"
                "set xlabel 'step' textcolor '#222222'\nset label 2 '%" PRId64 " of %" PRId64
                " steps skipped' at graph 0.02, graph 0.93 left noenhanced textcolor '#222222' front\n",
                data->scaler_skips, data->step_count);
    plot_script_axis(&script, 'y', &range);
    plot_script_steps(&script, data->steps, true);
    add_levels(&script, data->steps);
    plot_curve_marks_data(&script, "skipped", data->steps, STEP_SKIPPED);
    text_add(&script, "plot ");
    if (series_column_width(data->steps) > 1) {
        text_add(&script, "$scale using 1:3:4 with filledcurves fillcolor rgb ");
        plot_script_colour(&script, palette_line(0));
        text_add(&script, " fillstyle transparent solid 0.25 noborder notitle, ");
    }
    text_add(&script, "$scale using 1:2 with steps linewidth 1.5 linecolor rgb ");
    plot_script_colour(&script, palette_line(0));
    text_add(&script, " title 'scale of the loss'");
    plot_curve_marks(&script, "skipped", data->steps, STEP_SKIPPED, PLOT_SKIP_COLOUR, "skipped: a gradient was not finite");
    text_add(&script, "\n");
    return plot_output_script(out, "scaler", 800, 340, &script, err);
}

const Plot plot_scaler = {
    .name = "scaler",
    .help = "the gradient scaler's scale over the steps, and the steps that it skipped",
    .needs = "`scaler` events: a run with `precision` float16",
    .has_data = has_data,
    .draw = draw,
};
