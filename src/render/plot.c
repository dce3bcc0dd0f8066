#include "render/plot.h"

#include <string.h>

#include "base/file.h"
#include "render/plot_output.h"

const Plot *const plot_table[] = {
#define PLOT(kind) &plot_##kind,
#include "render/plots.def"
#undef PLOT
};
const int plot_count = sizeof plot_table / sizeof *plot_table;

/* A kind is asked for by its name; "histogram_fc1.weight" asks for one of the histograms. */
static bool is_wanted(const Plot *plot, const char *only)
{
    size_t length = strlen(plot->name);
    bool is_many = strcmp(plot->name, "histogram") == 0 || strcmp(plot->name, "heatmap_time") == 0;
    return !only || strcmp(only, plot->name) == 0 || (is_many && strncmp(only, plot->name, length) == 0 && only[length] == '_');
}

static bool check_only(const PlotData *data, const char *only, Arena *arena, Error *err)
{
    const char **names = ARENA_ARRAY(arena, const char *, plot_count);
    for (int i = 0; i < plot_count; i++) {
        const Plot *plot = plot_table[i];
        names[i] = plot->name;
        if (!is_wanted(plot, only))
            continue;
        if (plot->has_data(data))
            return true;
        if (plot->why_not)
            return error_add(err, "the picture `%s` of %s cannot be drawn: %s", only, data->run->folder, plot->why_not(data));
        error_add(err, "the log of %s has no data for the picture `%s`", data->run->folder, only);
        return error_hint(err, "it is drawn from %s", plot->needs);
    }
    error_add(err, "there is no picture `%s`", only);
    return error_suggest(err, only, names, plot_count);
}

static bool finish(PlotOutput *out, PlotResult *result, Error *err)
{
    const char *program = out->options->gnuplot ? out->options->gnuplot : "gnuplot";
    if (out->undrawn.length > 0)
        plot_output_note(
            out, arena_printf(out->scratch, "%s not found: %s not drawn (heatmaps work without it)", program, out->undrawn.at));
    *result = (PlotResult){out->files, out->file_count, out->notes, out->note_count};
    if (out->file_count > 0)
        return true;
    if (out->note_count == 0)
        return error_add(err, "the log of %s has nothing to draw", out->data->run->folder);
    error_add(err, "%s", out->notes[0]);
    return out->undrawn.length > 0 ? error_hint(err, "install gnuplot-nox") : false;
}

bool plot_data_draw(const PlotData *data, const PlotOptions *options, PlotResult *result, Arena *arena, Error *err)
{
    *result = (PlotResult){0};
    PlotOptions used = *options;
    if (!used.png && !used.svg)
        used.png = true;
    PlotOutput out = {.arena = arena, .data = data, .options = &used, .undrawn = text_new(arena)};
    out.folder = used.folder ? used.folder : path_join(arena, data->run->folder, "plots");
    out.palette = palette_find(used.palette, err);
    if (!out.palette || (used.only && !check_only(data, used.only, arena, err)) || !file_make_folder(out.folder, err))
        return false;
    out.scratch = arena_new(arena);
    for (int i = 0; i < plot_count; i++) {
        const Plot *plot = plot_table[i];
        if (!is_wanted(plot, used.only) || !plot->has_data(data))
            continue;
        if (!plot->draw(&out, err))
            return false;
        arena_reset(out.scratch);
    }
    bool done = finish(&out, result, err);
    arena_free(out.scratch);
    return done;
}

/* Only where it is drawn: the config may name large data. */
static void predict(PlotData *data, const Prediction *known, Arena *arena)
{
    Error *failure = error_new(arena);
    const char *folder = data->run->folder;
    if (known)
        data->prediction = known;
    else if (file_exists(path_join(arena, folder, "config.json")))
        data->prediction = prediction_of_run(arena, folder, failure);
    else
        data->no_prediction = "it has no config.json";
    if (error_count(failure))
        data->no_prediction = error_message(failure, 0);
}

bool plot_run(const char *run_folder, const PlotOptions *options, PlotResult *result, Arena *arena, Error *err)
{
    *result = (PlotResult){0};
    PlotData *data = plot_data_read(arena, run_folder, err);
    if (data && is_wanted(&plot_prediction, options->only))
        predict(data, options->prediction, arena);
    return data && plot_data_draw(data, options, result, arena, err);
}
