#include "render/plot_output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "render/gnuplot.h"
#include "render/labels.h"

static const char **list_add(Arena *arena, const char **list, int *count, int *capacity, const char *text)
{
    if (*count == *capacity) {
        int larger = *capacity ? 2 * *capacity : 16;
        list = arena_grow(arena, list, (size_t)*capacity * sizeof *list, (size_t)larger * sizeof *list);
        *capacity = larger;
    }
    list[(*count)++] = text;
    return list;
}

void plot_output_note(PlotOutput *out, const char *note)
{
    out->notes = list_add(out->arena, out->notes, &out->note_count, &out->note_capacity, arena_strdup(out->arena, note));
}

static bool write_picture(PlotOutput *out, const char *name, const char *suffix, const Text *bytes, Error *err)
{
    const char *path = path_join(out->arena, out->folder, arena_printf(out->arena, "%s.%s", name, suffix));
    if (!file_write(path, bytes->at, bytes->length, err))
        return false;
    out->files = list_add(out->arena, out->files, &out->file_count, &out->file_capacity, path);
    return true;
}

/* Runs gnuplot for one format. *go_on is false when the other one would fail as well. */
static bool draw_format(PlotOutput *out, const char *name, const char *suffix, const char *terminal, const Text *script,
                        bool *go_on, Error *err)
{
    Text whole = text_new(out->scratch), picture = text_new(out->scratch);
    text_printf(&whole, "set terminal %s\ntitle_font = ',%d'\n", terminal, strcmp(suffix, "svg") == 0 ? 16 : 12);
    text_add_bytes(&whole, script->at, script->length);
    Error *failure = error_new(out->scratch);
    bool missing;
    *go_on = gnuplot_run(out->options->gnuplot, &whole, &picture, &missing, failure);
    if (*go_on)
        return write_picture(out, name, suffix, &picture, err);
    if (missing)
        text_printf(&out->undrawn, "%s%s", out->undrawn.length ? ", " : "", name);
    else
        plot_output_note(out, arena_printf(out->scratch, "%s was not drawn: %s", name, error_message(failure, 0)));
    return true;
}

bool plot_output_script(PlotOutput *out, const char *name, int width, int height, const Text *script, Error *err)
{
    bool go_on = true;
    if (out->options->png) {
        const char *terminal = arena_printf(
            out->scratch, "pngcairo size %d,%d enhanced font 'DejaVu Sans,10' fontscale %d linewidth %d pointscale %d",
            width * SCENE_SCALE, height * SCENE_SCALE, SCENE_SCALE, SCENE_SCALE, SCENE_SCALE);
        if (!draw_format(out, name, "png", terminal, script, &go_on, err))
            return false;
    }
    if (out->options->svg && go_on) {
        const char *terminal =
            arena_printf(out->scratch, "svg size %d,%d enhanced font 'DejaVu Sans,12' background '#ffffff'", width, height);
        if (!draw_format(out, name, "svg", terminal, script, &go_on, err))
            return false;
    }
    return true;
}

bool plot_output_scene(PlotOutput *out, const char *name, const Scene *scene, Error *err)
{
    Text png = text_new(out->scratch), svg = text_new(out->scratch);
    return (!out->options->png || (scene_png(scene, &png, err) && write_picture(out, name, "png", &png, err))) &&
           (!out->options->svg || (scene_svg(scene, &svg, err) && write_picture(out, name, "svg", &svg, err)));
}

bool plot_output_heatmap(PlotOutput *out, const char *name, const Heatmap *heatmap, Error *err)
{
    const Scene *scene = heatmap_scene(out->scratch, heatmap, NULL, err);
    return scene && plot_output_scene(out, name, scene, err);
}

void plot_script_colour(Text *script, Colour colour)
{
    text_printf(script, "'#%02x%02x%02x'", colour.red, colour.green, colour.blue);
}

Text plot_script_new(PlotOutput *out, const char *title)
{
    Text script = text_new(out->scratch);
    text_add(&script,
             "set encoding utf8\n"
             "set border 3 linecolor '#666666'\n"
             "set tics nomirror out scale 0.6 textcolor '#222222'\n"
             "set grid linetype 1 linecolor '#e2e2e2' linewidth 0.5\n"
             "set key right bottom at graph 1, 1.01 horizontal noenhanced samplen 1.5 textcolor '#222222'\n"
             "set label 1000 at screen 0, 1 left offset character 2, -1.4 noenhanced font title_font textcolor '#222222' ");
    gnuplot_quote(&script, arena_printf(out->scratch, "%s \xe2\x80\x94 %s", title, out->data->title));
    text_add_char(&script, '\n');
    return script;
}

PlotRange plot_range(double low, double high)
{
    if (!(low <= high))
        return (PlotRange){false, 0, 1};
    if (low > 0 && high / low >= 10) {
        double margin = pow(high / low, 0.04);
        return (PlotRange){true, low / margin, high * margin};
    }
    double margin = high > low ? 0.05 * (high - low) : high != 0 ? 0.1 * fabs(high) : 1;
    /* A loss near zero stays above it. */
    return (PlotRange){false, low >= 0 && low < margin ? 0 : low - margin, high + margin};
}

PlotRange plot_range_log(double low, double high)
{
    if (!(low <= high))
        return (PlotRange){true, 0.1, 10};
    int from = (int)floor(log10(low) + 1e-9), to = (int)ceil(log10(high) - 1e-9);
    if (from == to)
        to++;
    return (PlotRange){true, pow(10, from), pow(10, to)};
}

/* Less than about two decades have ticks at 1, 2 and 5; more have powers of ten, thinned. */
static void log_ticks(Text *script, char axis, double low, double high)
{
    int from = (int)floor(log10(low)), to = (int)ceil(log10(high));
    double decades = log10(high) - log10(low);
    text_printf(script, "set %ctics (", axis);
    const char *between = "";
    if (decades < 2.2) {
        static const int factors[] = {1, 2, 5};
        for (int decade = from; decade <= to; decade++)
            for (int i = 0; i < 3; i++) {
                double at = pow(10, decade) * factors[i];
                if (at >= low && at <= high) {
                    text_printf(script, "%s'%.3g' %.17g", between, at, at);
                    between = ", ";
                }
            }
    } else {
        int every = (int)ceil(decades / 7);
        for (int decade = from; decade <= to; decade++) {
            double at = pow(10, decade);
            if (at < low * 0.999 || at > high * 1.001)
                continue;
            bool has_label = (decade % every + every) % every == 0;
            if (has_label)
                text_printf(script, "%s'10^{%d}' %.17g 0", between, decade, at);
            else
                text_printf(script, "%s'' %.17g 1", between, at);
            between = ", ";
        }
    }
    text_add(script, ")\n");
}

void plot_script_axis(Text *script, char axis, const PlotRange *range)
{
    text_printf(script, "set %crange [%.17g:%.17g]\n", axis, range->low, range->high);
    if (range->is_log) {
        text_printf(script, "set logscale %c\n", axis);
        log_ticks(script, axis, range->low, range->high);
    } else {
        text_printf(script, "unset logscale %c\nset %ctics autofreq\nset format %c '%%g'\n", axis, axis, axis);
    }
}

void plot_script_steps(Text *script, const Series *series, bool has_labels)
{
    int columns = series_columns(series);
    int64_t first = columns ? series_first_step(series, 0) : 0, last = columns ? series_last_step(series, columns - 1) : 1;
    int64_t distance = label_step_distance(last - first, 9);
    text_printf(script, "set xrange [%" PRId64 ":%" PRId64 "]\nset xtics (", first, last > first ? last : first + 1);
    const char *between = "";
    for (int64_t step = first - (first % distance + distance) % distance; step <= last; step += distance) {
        int64_t shown = step < first ? first : step;
        Arena *scratch = arena_new(script->arena);
        text_printf(script, "%s'%s' %" PRId64, between, has_labels ? label_count(scratch, shown) : "", shown);
        arena_free(scratch);
        between = ", ";
    }
    text_add(script, ")\n");
}
