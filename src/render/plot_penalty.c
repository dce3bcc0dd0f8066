/* The slope that a gradient penalty holds, beside the norm that it wants, and what the penalty costs. */
#include <math.h>

#include "render/plot_curve.h"
#include "render/plot_output.h"

static bool has_data(const PlotData *data)
{
    return plot_curve_has_values(data->penalty, PENALTY_NORM);
}

static void draw_norm(Text *script, const PlotData *data)
{
    const bool has_target = isfinite(data->penalty_target);
    double low = NAN, high = NAN;
    plot_curve_extent(data->penalty, PENALTY_NORM, &low, &high);
    if (has_target) {
        low = fmin(low, data->penalty_target);
        high = fmax(high, data->penalty_target);
    }
    /* From zero: the eye compares the distance from the target. */
    PlotRange range = {false, 0, high > 0 ? 1.1 * high : 1};
    text_add(script, "set tmargin 4.2\nset bmargin 0.8\nset ylabel 'norm of the slope' textcolor '#222222'\n");
    plot_script_axis(script, 'y', &range);
    plot_script_steps(script, data->penalty, false);
    plot_curve_data(script, "norm", data->penalty, PENALTY_NORM, false);
    plot_curve_nonfinite(script, data->penalty, PENALTY_NORM);
    text_add(script, "plot ");
    plot_curve_draw(script, "norm", data->penalty, CURVE_FULL, palette_line(0), "mean norm of d output / d input");
    if (has_target)
        text_printf(script, ", %.17g with lines dashtype 2 linewidth 1.2 linecolor rgb '#222222' title 'target %g'",
                    data->penalty_target, data->penalty_target);
    text_add(script, "\nunset label 1000\nunset label 1\nunset object 1\nunset arrow\n");
}

static void draw_value(Text *script, const PlotData *data)
{
    double low = NAN, high = NAN;
    plot_curve_extent(data->penalty, PENALTY_VALUE, &low, &high);
    PlotRange range = plot_range(low, high);
    text_add(script, "set tmargin 2\nset bmargin 3.2\nset ylabel 'penalty'\nset xlabel 'step' textcolor '#222222'\n");
    plot_script_axis(script, 'y', &range);
    plot_script_steps(script, data->penalty, true);
    plot_curve_data(script, "value", data->penalty, PENALTY_VALUE, range.is_log);
    text_add(script, "plot ");
    plot_curve_draw(script, "value", data->penalty, CURVE_FULL, palette_line(1), "its share of the loss");
    text_add(script, "\n");
}

static bool draw(PlotOutput *out, Error *err)
{
    Text script = plot_script_new(out, "Gradient penalty");
    text_add(&script, "set lmargin 10\nset rmargin 4\nset multiplot layout 2,1\n");
    draw_norm(&script, out->data);
    draw_value(&script, out->data);
    text_add(&script, "unset multiplot\n");
    return plot_output_script(out, "penalty", 800, 580, &script, err);
}

const Plot plot_penalty = {
    .name = "penalty",
    .help = "the norm that a gradient penalty holds near its target, and what it adds to the loss",
    .needs = "`penalty` events: a run with `penalty` in its config",
    .has_data = has_data,
    .draw = draw,
};
