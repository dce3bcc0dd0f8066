/* Position by step: the gradient of a sequence's layer, one file a layer. Of a recurrent layer it is the gates', whose fading
 * towards the first position is the gradient that vanishes through time. */
#include <string.h>

#include "render/labels.h"
#include "render/plot_output.h"

static bool has_data(const PlotData *data)
{
    return data->time_count > 0;
}

static bool draw_layer(PlotOutput *out, const PlotTime *time, const char *name, Error *err)
{
    Heatmap heatmap = {
        .title = arena_printf(out->scratch, "Gradient of %s by position and step \xe2\x80\x94 %s",
                              label_name(out->scratch, time->name), out->data->title),
        .quantity = time->is_delta ? "RMS of dL/d gates" : "RMS of dL/d output",
        .series = time->matrix.series,
        .names = time->matrix.names,
        .palette = out->palette,
    };
    return plot_output_heatmap(out, name, &heatmap, err);
}

static bool draw(PlotOutput *out, Error *err)
{
    const char *only = out->options->only;
    bool is_named = only && strcmp(only, "heatmap_time") != 0;
    int drawn = 0;
    for (int i = 0; i < out->data->time_count; i++) {
        const PlotTime *time = &out->data->time[i];
        const char *plain = arena_printf(out->arena, "heatmap_time_%s", time->name), *name = label_file_name(out->arena, plain);
        if (is_named && strcmp(only, plain) != 0 && strcmp(only, name) != 0)
            continue;
        drawn++;
        if (!draw_layer(out, time, name, err))
            return false;
    }
    if (!drawn)
        return error_add(err, "the log has no time gradients for the picture `%s`", only);
    if (out->data->has_more_time && !is_named)
        plot_output_note(out,
                         arena_printf(out->scratch, "gradients by position are drawn of the first %d layers", PLOT_TIME_LIMIT));
    return true;
}

const Plot plot_heatmap_time = {
    .name = "heatmap_time",
    .help = "RMS of the gradient of recurrent layers at each position and step; one file per layer",
    .needs = "`time_gradients` events (monitor.instruments)",
    .has_data = has_data,
    .draw = draw,
};
