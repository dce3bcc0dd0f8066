/* Loss and total gradient norm over the steps: the two lines that are looked at first. */
#include <math.h>

#include "render/plot_curve.h"
#include "render/plot_output.h"

static bool has_data(const PlotData *data)
{
    return series_columns(data->steps) > 0;
}

static void draw_losses(Text *script, const PlotData *data)
{
    double low = NAN, high = NAN;
    plot_curve_extent(data->steps, STEP_LOSS, &low, &high);
    plot_curve_extent(data->evaluation, EVAL_LOSS, &low, &high);
    plot_curve_extent(data->steps, STEP_GENERATOR_LOSS, &low, &high);
    PlotRange range = plot_range(low, high);
    bool has_validation = plot_curve_has_values(data->evaluation, EVAL_LOSS);
    bool has_generator = plot_curve_has_values(data->steps, STEP_GENERATOR_LOSS);

    text_add(script, "set tmargin 4.2\nset bmargin 0.8\nset ylabel 'loss' textcolor '#222222'\n");
    plot_script_axis(script, 'y', &range);
    plot_script_steps(script, data->steps, false);
    plot_curve_data(script, "loss", data->steps, STEP_LOSS, range.is_log);
    if (has_validation)
        plot_curve_data(script, "validation", data->evaluation, EVAL_LOSS, range.is_log);
    if (has_generator)
        plot_curve_data(script, "generator", data->steps, STEP_GENERATOR_LOSS, range.is_log);
    plot_curve_marks_data(script, "skipped", data->steps, STEP_SKIPPED);
    plot_curve_nonfinite(script, data->steps, STEP_LOSS);
    text_add(script, "plot ");
    plot_curve_draw(script, "loss", data->steps, CURVE_FULL, palette_line(0), has_generator ? "critic" : "training loss");
    if (has_generator) {
        text_add(script, ", ");
        plot_curve_draw(script, "generator", data->steps, CURVE_FULL, palette_line(1), "generator");
    }
    if (has_validation) {
        text_add(script, ", ");
        plot_curve_draw(script, "validation", data->evaluation, CURVE_POINTS, palette_line(1), "validation loss");
    }
    plot_curve_marks(script, "skipped", data->steps, STEP_SKIPPED, PLOT_SKIP_COLOUR, "skipped by the scaler");
    text_add(script, "\nunset label 1000\nunset label 1\nunset object 1\nunset arrow\n");
}

static void draw_norms(Text *script, const PlotData *data)
{
    bool has_clipping = data->clip_events > 0 && plot_curve_has_values(data->steps, STEP_CLIPPED_NORM);
    bool has_threshold = data->max_norm > 0;
    double low = NAN, high = NAN;
    plot_curve_extent(data->steps, STEP_GRAD_NORM, &low, &high);
    if (has_clipping)
        plot_curve_extent(data->steps, STEP_CLIPPED_NORM, &low, &high);
    if (has_threshold) {
        low = fmin(low, data->max_norm);
        high = fmax(high, data->max_norm);
    }
    PlotRange range = plot_range(low, high);

    text_add(script, "set tmargin 2\nset bmargin 3.2\nset ylabel 'gradient norm'\nset xlabel 'step' textcolor '#222222'\n");
    plot_script_axis(script, 'y', &range);
    plot_script_steps(script, data->steps, true);
    plot_curve_data(script, "norm", data->steps, STEP_GRAD_NORM, range.is_log);
    plot_curve_data(script, "clipped", data->steps, STEP_CLIPPED_NORM, range.is_log);
    plot_curve_marks_data(script, "hooked", data->steps, STEP_HOOKED);
    plot_curve_nonfinite(script, data->steps, STEP_GRAD_NORM);
    text_add(script, "plot ");
    plot_curve_draw(script, "norm", data->steps, CURVE_FULL, palette_line(2),
                    has_clipping ? "before clipping" : "total 2-norm");
    if (has_clipping) {
        text_add(script, ", ");
        plot_curve_draw(script, "clipped", data->steps, CURVE_FULL, palette_line(1), "after clipping");
    }
    if (has_threshold)
        text_printf(script, ", %.17g with lines dashtype 2 linewidth 1.2 linecolor rgb '#222222' title 'max_norm %g'",
                    data->max_norm, data->max_norm);
    plot_curve_marks(script, "hooked", data->steps, STEP_HOOKED, PLOT_HOOK_COLOUR, "changed by a hook");
    text_add(script, "\n");
}

static bool draw(PlotOutput *out, Error *err)
{
    Text script = plot_script_new(out, "Loss and gradient norm");
    text_add(&script, "set lmargin 10\nset rmargin 4\nset multiplot layout 2,1\n");
    draw_losses(&script, out->data);
    draw_norms(&script, out->data);
    text_add(&script, "unset multiplot\n");
    return plot_output_script(out, "loss", 800, 580, &script, err);
}

const Plot plot_loss = {
    .name = "loss",
    .help = "loss and total gradient norm over the steps, with the clipping threshold and steps that a scaler skipped",
    .needs = "`step` events",
    .has_data = has_data,
    .draw = draw,
};
