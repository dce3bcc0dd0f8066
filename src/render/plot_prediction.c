/* Gradient flow as theory has it before training, beside what the first step measured: a row a layer, input on top. */
#include <math.h>

#include "render/font.h"
#include "render/gnuplot.h"
#include "render/labels.h"
#include "render/plot_output.h"

enum { WIDTH = 820, TOP = 92, BOTTOM = 60, ROWS_MOST = 400 };
#define NAME_SIZE 11.0
#define SUMMARY_SIZE 14.5
#define CHI_WIDTH 70.0
#define AXIS_MARGIN 1.2 /* a factor, so that points at an end of the axis are whole */
#define BAR_HEIGHT 0.6
#define BORN_DEAD_SHOWN 1e-6

typedef struct Picture {
    PlotOutput *out;
    const Prediction *prediction;
    const MeasuredFlow *measured;
    const int *rows; /* hidden layers, in forward order */
    int count, pitch, height;
    bool has_band, has_points;
} Picture;

static bool is_shown(const PredictedLayer *layer)
{
    return isfinite(layer->flow);
}

static int shown_layers(const Prediction *prediction)
{
    int count = 0;
    for (int i = 0; prediction && prediction->is_supported && i < prediction->layers; i++)
        count += is_shown(&prediction->layer[i]);
    return count;
}

static bool has_data(const PlotData *data)
{
    return shown_layers(data->prediction) > 1;
}

static const char *why_not(const PlotData *data)
{
    if (!data->prediction)
        return data->no_prediction ? data->no_prediction : "nothing was predicted of it";
    return data->prediction->is_supported ? "fewer than two hidden layers get a gradient" : data->prediction->reason;
}

static Picture picture_new(PlotOutput *out)
{
    const Prediction *prediction = out->data->prediction;
    int *rows = ARENA_ARRAY(out->scratch, int, prediction->layers);
    int count = 0;
    for (int i = 0; i < prediction->layers; i++)
        if (is_shown(&prediction->layer[i]))
            rows[count++] = i;
    if (count > ROWS_MOST) {
        plot_output_note(out, arena_printf(out->scratch, "prediction has %d of %d layers", ROWS_MOST, count));
        for (int i = 0; i < ROWS_MOST; i++)
            rows[i] = rows[(int64_t)i * (count - 1) / (ROWS_MOST - 1)];
        count = ROWS_MOST;
    }
    int pitch = count <= 12 ? 26 : count <= 100 ? 16 : 8;
    Picture picture = {out, prediction, &out->data->first_flow, rows, count, pitch, count * pitch, false, false};
    for (int i = 0; i < count; i++) {
        picture.has_band |= prediction->layer[rows[i]].log_variance > 0;
        picture.has_points |= prediction_measured(prediction, rows[i], picture.measured) > 0;
    }
    return picture;
}

static const PredictedLayer *layer_at(const Picture *picture, int i)
{
    return &picture->prediction->layer[picture->rows[i]];
}

static double measured_at(const Picture *picture, int i)
{
    return prediction_measured(picture->prediction, picture->rows[i], picture->measured);
}

/* A row's place on the y axis: the first is on top. */
static double place(const Picture *picture, int i)
{
    return picture->count - i;
}

/* At least a factor of 2 to either side: what is nearly 1 shall look so. */
static PlotRange range_of(const Picture *picture)
{
    double low = 0.5, high = 2;
    for (int i = 0; i < picture->count; i++) {
        const double measured = measured_at(picture, i);
        low = fmin(low, prediction_low(layer_at(picture, i)));
        high = fmax(high, prediction_high(layer_at(picture, i)));
        if (measured > 0 && isfinite(measured)) {
            low = fmin(low, measured);
            high = fmax(high, measured);
        }
    }
    return (PlotRange){true, low / AXIS_MARGIN, high * AXIS_MARGIN};
}

/* Only layers of the trunk that follow each other are joined by a line: what flows into branches is another gradient. */
static bool is_joined(const Picture *picture, int i)
{
    return i > 0 && i < picture->count && !layer_at(picture, i - 1)->in_residual && !layer_at(picture, i)->in_residual;
}

/* Of rows that are joined a polygon, down along one border and up along the other; of others a bar each. */
static void add_band(Text *script, const Picture *picture)
{
    text_add(script, "$band << EOD\n");
    for (int first = 0, next; first < picture->count; first = next) {
        for (next = first + 1; is_joined(picture, next); next++)
            continue;
        const double reach = next == first + 1 ? BAR_HEIGHT / 2 : 0;
        for (int i = first; i < next; i++)
            text_printf(script, "%.9g %g\n", prediction_low(layer_at(picture, i)), place(picture, i) + reach);
        if (reach > 0)
            text_printf(script, "%.9g %g\n", prediction_low(layer_at(picture, first)), place(picture, first) - reach);
        for (int i = next - 1; i >= first; i--)
            text_printf(script, "%.9g %g\n", prediction_high(layer_at(picture, i)), place(picture, i) - reach);
        if (reach > 0)
            text_printf(script, "%.9g %g\n", prediction_high(layer_at(picture, first)), place(picture, first) + reach);
        text_add_char(script, '\n');
    }
    text_add(script, "EOD\n");
}

static void add_blocks(Text *script, const Picture *picture)
{
    add_band(script, picture);
    text_add(script, "$line << EOD\n");
    for (int i = 0; i < picture->count; i++)
        text_printf(script, "%s%.9g %g\n", is_joined(picture, i) ? "" : "\n", layer_at(picture, i)->flow, place(picture, i));
    text_add(script, "EOD\n$points << EOD\n");
    for (int i = 0; i < picture->count; i++)
        if (measured_at(picture, i) > 0 && isfinite(measured_at(picture, i)))
            text_printf(script, "%.9g %g\n", measured_at(picture, i), place(picture, i));
    text_add(script, "NaN NaN\nEOD\n");
}

/* One of so many rows has room for text. */
static int named_rows(const Picture *picture)
{
    return (14 + picture->pitch - 1) / picture->pitch;
}

/* Names on the left, chi on the right. */
static void add_names(Text *script, const Picture *picture)
{
    const int every = named_rows(picture);
    text_add(script, "set ytics scale 0 noenhanced (");
    for (int i = 0; i < picture->count; i += every) {
        text_add(script, i ? ", " : "");
        gnuplot_quote_tick(script, label_name(picture->out->scratch, layer_at(picture, i)->name));
        text_printf(script, " %g", place(picture, i));
    }
    text_add(script, ")\nset y2tics scale 0 (");
    for (int i = 0; i < picture->count; i += every) {
        const double chi = layer_at(picture, i)->chi;
        const char *label = arena_printf(picture->out->scratch, chi >= 1e-3 && chi < 1e4 ? "%#.3g" : "%.0e", chi);
        text_printf(script, "%s'%s' %g", i ? ", " : "", label, place(picture, i));
    }
    text_printf(script, ")\nset yrange [0.4:%g]\nset y2range [0.4:%g]\n", picture->count + 0.6, picture->count + 0.6);
}

/* What has no place on a logarithmic axis; on the right, where a gradient that vanishes leaves room. */
static void add_marks(Text *script, const Picture *picture)
{
    for (int i = 0; i < picture->count; i += named_rows(picture)) {
        const double measured = measured_at(picture, i);
        if (run_is_missing(measured) || (measured > 0 && isfinite(measured)))
            continue;
        text_printf(script, "set label %d '%s' at graph 0.97, first %g right textcolor rgb '%s' front\n", i + 1,
                    measured == 0 ? "measured exactly 0" : "measured: not finite", place(picture, i),
                    measured == 0 ? "#d55e00" : "#c00070");
    }
}

static const char *summary(const Picture *picture, const char *which)
{
    const Prediction *p = picture->prediction;
    const PredictedLayer *first = &p->layer[p->first];
    const double measured = prediction_measured(p, p->first, picture->measured);
    Text text = text_new(picture->out->scratch);
    text_printf(&text, "%s: predicted %.2g", which, p->flow_ratio);
    if (first->log_variance > 0)
        text_printf(&text, " (%.2g to %.2g)", prediction_low(first), prediction_high(first));
    if (isfinite(measured))
        text_printf(&text, ", measured %.2g", measured);
    text_printf(&text, "; beta %.2g", p->beta);
    if (p->born_dead >= BORN_DEAD_SHOWN)
        text_printf(&text, "; born dead with probability %.2g", p->born_dead);
    return text.at;
}

/* With the names of the two layers where there is room for them. */
static const char *fitting_summary(const Picture *picture)
{
    Arena *arena = picture->out->scratch;
    const Prediction *p = picture->prediction;
    const char *which = arena_printf(arena, "%s over %s", p->layer[p->first].name, p->layer[p->last].name);
    const char *text = summary(picture, which);
    return font_width(text, SUMMARY_SIZE) < WIDTH - 40 ? text : summary(picture, "first over last layer");
}

static void add_heads(Text *script, const Picture *picture)
{
    text_add(script, "set label 1001 ");
    gnuplot_quote(script, fitting_summary(picture));
    text_add(script,
             " at screen 0, 1 left offset character 2, -2.9 noenhanced textcolor '#666666'\n"
             "set label 1002 '\xcf\x87_1' at graph 1, 1 left offset character 1, 0.8 textcolor '#222222'\n"
             "set key left bottom at graph 0, 1.005 horizontal Left reverse noenhanced samplen 1.5 textcolor '#222222'\n"
             "set arrow from 1, graph 0 to 1, graph 1 nohead back dashtype 2 linewidth 0.8 linecolor '#999999'\n"
             "set xlabel 'RMS of the gradient of the layer''s output, relative to the last hidden layer' "
             "noenhanced textcolor '#222222'\n");
}

static void add_plot(Text *script, const Picture *picture)
{
    text_add(script, "plot ");
    if (picture->has_band)
        text_add(script, "$band using 1:2 with filledcurves closed fillcolor rgb '#cfe3f1' fillstyle solid noborder "
                         "title 'spread over seeds', ");
    text_add(script, "$line using 1:2 with linespoints pointtype 7 pointsize 0.5 linewidth 1.6 linecolor rgb '#0072b2' "
                     "title 'predicted'");
    if (picture->has_points)
        text_printf(script,
                    ", $points using 1:2 with points pointtype 7 pointsize 0.8 linecolor rgb '#d55e00' "
                    "title 'measured in step %lld'",
                    (long long)picture->measured->step);
    text_add(script, "\n");
}

static bool draw(PlotOutput *out, Error *err)
{
    Picture picture = picture_new(out);
    const int height = TOP + picture.height + BOTTOM;
    double left = 60;
    for (int i = 0; i < picture.count; i++)
        left = fmax(left, font_width(label_name(out->scratch, layer_at(&picture, i)->name), NAME_SIZE * 1.25) + 24);
    Text script = plot_script_new(out, "Gradient flow, predicted and measured");
    const PlotRange range = range_of(&picture);
    plot_script_axis(&script, 'x', &range);
    text_printf(
        &script,
        "unset grid\nset grid xtics linetype 1 linecolor '#e2e2e2' linewidth 0.5\n"
        "set lmargin at screen %.6f\nset rmargin at screen %.6f\nset tmargin at screen %.6f\nset bmargin at screen %.6f\n",
        left / WIDTH, 1 - CHI_WIDTH / WIDTH, 1 - (double)TOP / height, (double)BOTTOM / height);
    add_names(&script, &picture);
    add_marks(&script, &picture);
    add_heads(&script, &picture);
    add_blocks(&script, &picture);
    add_plot(&script, &picture);
    return plot_output_script(out, "prediction", WIDTH, height, &script, err);
}

const Plot plot_prediction = {
    .name = "prediction",
    .help = "gradient flow as the initial weights predict it, beside what the first step measured",
    .needs = "config.json and, for what was measured, `activation_gradients` events (monitor.instruments)",
    .has_data = has_data,
    .why_not = why_not,
    .draw = draw,
};
