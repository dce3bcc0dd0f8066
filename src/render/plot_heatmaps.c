/* Layer by step, drawn by ourselves: one cell is whole pixels. */
#include "render/plot_output.h"

static bool draw(PlotOutput *out, const PlotMatrix *matrix, const char *name, const char *title, const char *quantity,
                 Error *err)
{
    Heatmap heatmap = {
        .title = arena_printf(out->scratch, "%s \xe2\x80\x94 %s", title, out->data->title),
        .quantity = quantity,
        .series = matrix->series,
        .names = matrix->names,
        .palette = out->palette,
    };
    return plot_output_heatmap(out, name, &heatmap, err);
}

static bool has_matrix(const PlotMatrix *matrix)
{
    return matrix->series && matrix->rows > 0;
}

static bool has_gradients(const PlotData *data)
{
    return has_matrix(&data->gradients);
}

static bool has_activation_gradients(const PlotData *data)
{
    return has_matrix(&data->activation_gradients);
}

static bool has_activations(const PlotData *data)
{
    return has_matrix(&data->activations);
}

static bool draw_gradients(PlotOutput *out, Error *err)
{
    return draw(out, &out->data->gradients, "heatmap_gradients", "Gradient norm by parameter and step",
                "2-norm of the gradient", err);
}

static bool draw_activation_gradients(PlotOutput *out, Error *err)
{
    return draw(out, &out->data->activation_gradients, "heatmap_activation_gradients",
                "Gradient of the activations by layer and step", "RMS of dL/d output", err);
}

static bool draw_activations(PlotOutput *out, Error *err)
{
    return draw(out, &out->data->activations, "heatmap_activations", "Activations by layer and step", "RMS of the output", err);
}

const Plot plot_heatmap_gradients = {
    .name = "heatmap_gradients",
    .help = "gradient norm of each parameter at each step",
    .needs = "`gradients` events (monitor.instruments)",
    .has_data = has_gradients,
    .draw = draw_gradients,
};

const Plot plot_heatmap_activation_gradients = {
    .name = "heatmap_activation_gradients",
    .help = "RMS of the gradient that flows through each layer at each step",
    .needs = "`activation_gradients` events (monitor.instruments)",
    .has_data = has_activation_gradients,
    .draw = draw_activation_gradients,
};

const Plot plot_heatmap_activations = {
    .name = "heatmap_activations",
    .help = "RMS of the output of each layer at each step",
    .needs = "`activations` events (monitor.instruments)",
    .has_data = has_activations,
    .draw = draw_activations,
};
