/* How the magnitudes of one tensor's values change: a ridge a step, old behind and above, new in front and below. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "render/gnuplot.h"
#include "render/labels.h"
#include "render/plot_output.h"

enum { RIDGES = 12, WIDTH = 820, HEIGHT = 540, FILES_MOST = 64 };

/* A ridge reaches over this many of its neighbours' lines. */
#define OVERLAP 2.2

static bool has_data(const PlotData *data)
{
    return data->histograms.count > 0;
}

typedef struct Ridges {
    const StoredHistogram *at[RIDGES];
    int count, low, high; /* exponents */
    double peak;          /* the largest fraction of a bin */
    double zeros;         /* the largest fraction of zeros */
} Ridges;

static Ridges ridges_of(const HistogramList *list)
{
    Ridges ridges = {.low = 5000, .high = -5000};
    ridges.count = histogram_list_choose(list, ridges.at, RIDGES);
    for (int i = 0; i < ridges.count; i++) {
        const StoredHistogram *one = ridges.at[i];
        ridges.zeros = fmax(ridges.zeros, one->zeros);
        for (int bin = 0; bin < one->count; bin++) {
            if (one->counts[bin] == 0)
                continue;
            ridges.peak = fmax(ridges.peak, one->counts[bin] / one->total * (1 - one->zeros));
            ridges.low = one->first + bin < ridges.low ? one->first + bin : ridges.low;
            ridges.high = one->first + bin > ridges.high ? one->first + bin : ridges.high;
        }
    }
    if (ridges.low > ridges.high) {
        ridges.low = -4;
        ridges.high = 0;
    }
    return ridges;
}

/* A value of exponent e lies between 2^e and 2^(e+1): its bin is drawn at the middle. */
static void add_ridge(Text *script, const Ridges *ridges, int index)
{
    const StoredHistogram *one = ridges->at[index];
    double base = ridges->count - 1 - index, scale = ridges->peak > 0 ? OVERLAP / ridges->peak : 0;
    text_printf(script, "$ridge%d << EOD\n", index);
    for (int bin = -1; bin <= one->count; bin++) {
        bool has = bin >= 0 && bin < one->count && one->total > 0;
        double part = has ? one->counts[bin] / one->total * (1 - one->zeros) : 0;
        text_printf(script, "%g %g %.6g\n", one->first + bin + 0.5, base, base + part * scale);
    }
    text_add(script, "EOD\n");
}

static Colour ridge_colour(const Ridges *ridges, int index)
{
    double at = ridges->count > 1 ? (double)index / (ridges->count - 1) : 0.5;
    return palette_colour(palette_find(NULL, NULL), 0.9 - 0.8 * at);
}

static void add_steps_axis(Text *script, const Ridges *ridges, Arena *arena)
{
    text_printf(script, "set yrange [-0.35:%g]\nset ytics scale 0 (", ridges->count - 1 + OVERLAP + 0.1);
    for (int i = 0; i < ridges->count; i++)
        text_printf(script, "%s'%s' %d", i ? ", " : "", label_count(arena, ridges->at[i]->step), ridges->count - 1 - i);
    text_add(script, ")\n");
}

static void draw_ridges(Text *script, const Ridges *ridges, Arena *arena)
{
    add_steps_axis(script, ridges, arena);
    int64_t every = label_step_distance(ridges->high - ridges->low + 3, 10);
    text_printf(script, "set xrange [%d:%d]\nset xtics (", ridges->low - 1, ridges->high + 2);
    const char *between = "";
    for (int exponent = ridges->low - 1; exponent <= ridges->high + 2; exponent++)
        if (exponent % every == 0) {
            text_printf(script, "%s'2^{%d}' %d", between, exponent, exponent);
            between = ", ";
        }
    text_add(script, ")\nset xlabel 'magnitude of the values' textcolor '#222222'\nset ylabel 'step' textcolor '#222222'\n");
    for (int i = 0; i < ridges->count; i++)
        add_ridge(script, ridges, i);
    text_add(script, "plot ");
    for (int i = 0; i < ridges->count; i++) {
        text_printf(script, "%s$ridge%d using 1:2:3 with filledcurves fillcolor rgb ", i ? ", " : "", i);
        plot_script_colour(script, ridge_colour(ridges, i));
        text_printf(script,
                    " fillstyle solid 1 noborder notitle, $ridge%d using 1:3 with lines linewidth 1 linecolor rgb "
                    "'#ffffff' notitle",
                    i);
    }
    text_add(script, "\nunset label 1000\n");
}

static void draw_zeros(Text *script, const Ridges *ridges)
{
    static const int ends[] = {1, 2, 4, 10, 20, 50, 100}; /* percent */
    int most = 0;
    while (most < 6 && ends[most] < 100 * ridges->zeros)
        most++;
    text_printf(script,
                "set lmargin at screen 0.83\nset rmargin at screen 0.96\nset ylabel\nset format y ''\nset ytics scale 0 ()\n"
                "set xrange [0:%d]\nset xtics ('0' 0, '%g%%%%' %g, '%d%%%%' %d)\nset xlabel 'exactly zero'\n$zeros << EOD\n",
                ends[most], ends[most] / 2.0, ends[most] / 2.0, ends[most], ends[most]);
    for (int i = 0; i < ridges->count; i++)
        text_printf(script, "%d %.6g\n", ridges->count - 1 - i, 100 * ridges->at[i]->zeros);
    text_add(script,
             "EOD\nplot $zeros using (0):1:(0):2:($1):($1+0.5) with boxxyerror fillstyle solid 1 noborder fillcolor rgb "
             "'#808080' notitle\n");
}

static bool is_of_gradients(const HistogramList *list)
{
    return strcmp(list->of, "gradients") == 0 || !list->of[0];
}

static bool draw_list(PlotOutput *out, const HistogramList *list, const char *name, Error *err)
{
    Ridges ridges = ridges_of(list);
    const char *what = is_of_gradients(list) ? "Gradient" : list->of;
    Text script = plot_script_new(out, arena_printf(out->scratch, "%s of %s", what, label_name(out->scratch, list->name)));
    text_add(&script, "unset grid\nset grid xtics linetype 1 linecolor '#e2e2e2' linewidth 0.5\nset multiplot\n"
                      "set tmargin at screen 0.91\nset bmargin at screen 0.12\n"
                      "set lmargin at screen 0.11\nset rmargin at screen 0.79\n");
    draw_ridges(&script, &ridges, out->scratch);
    draw_zeros(&script, &ridges);
    text_add(&script, "unset multiplot\n");
    return plot_output_script(out, name, WIDTH, HEIGHT, &script, err);
}

/* What is asked for by name, or all; of very many, some over the whole depth. */
static bool is_chosen(const PlotOutput *out, const char *plain, const char *name, int index)
{
    const char *only = out->options->only;
    bool is_named = only && strcmp(only, "histogram") != 0;
    if (is_named)
        return strcmp(only, plain) == 0 || strcmp(only, name) == 0;
    int count = out->data->histograms.count;
    return count <= FILES_MOST || (int64_t)index * FILES_MOST / count != (int64_t)(index - 1) * FILES_MOST / count ||
           index == 0;
}

static bool draw(PlotOutput *out, Error *err)
{
    int drawn = 0, count = out->data->histograms.count;
    for (int i = 0; i < count; i++) {
        const HistogramList *list = out->data->histograms.lists[i];
        /* The picture is known by the tensor's own name and by the file's, in which slashes are replaced. */
        const char *plain = is_of_gradients(list) ? arena_printf(out->arena, "histogram_%s", list->name)
                                                  : arena_printf(out->arena, "histogram_%s_%s", list->of, list->name);
        const char *name = label_file_name(out->arena, plain);
        if (!is_chosen(out, plain, name, i))
            continue;
        drawn++;
        if (!draw_list(out, list, name, err))
            return false;
    }
    if (drawn == 0)
        return error_add(err, "the log has no histogram for the picture `%s`", out->options->only);
    if (drawn < count && (!out->options->only || strcmp(out->options->only, "histogram") == 0))
        plot_output_note(out, arena_printf(out->scratch, "%d of %d histograms drawn; any other by its name, such as %s%s",
                                           drawn, count, "histogram_", out->data->histograms.lists[1]->name));
    return true;
}

const Plot plot_histogram = {
    .name = "histogram",
    .help = "a ridge per step of the magnitudes of a parameter's gradient, and its zeros; one file per parameter",
    .needs = "`histogram` events (monitor.histogram_every)",
    .has_data = has_data,
    .draw = draw,
};
