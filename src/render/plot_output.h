/* Where pictures go, and what those by gnuplot have in common. */
#ifndef GRADTOOL_RENDER_PLOT_OUTPUT_H
#define GRADTOOL_RENDER_PLOT_OUTPUT_H

#include <stdbool.h>

#include "base/text.h"
#include "render/heatmap.h"
#include "render/plot.h"

#define PLOT(kind) extern const Plot plot_##kind;
#include "render/plots.def"
#undef PLOT

typedef struct PlotOutput {
    Arena *arena;   /* of the result */
    Arena *scratch; /* of one picture */
    const PlotData *data;
    const PlotOptions *options;
    const Palette *palette;
    const char *folder;
    const char **files, **notes;
    int file_count, file_capacity, note_count, note_capacity;
    Text undrawn; /* names that gnuplot would have drawn, were it there */
} PlotOutput;

void plot_output_note(PlotOutput *out, const char *note);
/* Runs a script, without terminal and output, for a picture of width x height points. A gnuplot that is missing or fails
 * leaves a note; false only when a file cannot be written. */
bool plot_output_script(PlotOutput *out, const char *name, int width, int height, const Text *script, Error *err);
bool plot_output_scene(PlotOutput *out, const char *name, const Scene *scene, Error *err);
bool plot_output_heatmap(PlotOutput *out, const char *name, const Heatmap *heatmap, Error *err);

/* A new script: colours, fonts, grid, and the picture's title ("TITLE - run") in the upper left corner. */
Text plot_script_new(PlotOutput *out, const char *title);

/* The range of a logarithmic or linear axis that shows `low` to `high`. */
typedef struct PlotRange {
    bool is_log;
    double low, high;
} PlotRange;

/* Logarithmic where all is positive and spans at least a decade. NaN for both: nothing to show, 0 to 1. */
PlotRange plot_range(double low, double high);
/* Logarithmic in any case, at least from decade to decade. */
PlotRange plot_range_log(double low, double high);
/* Sets scale, range and ticks of axis x or y: at most about 7 labels, powers of ten as such. */
void plot_script_axis(Text *script, char axis, const PlotRange *range);
/* Sets the x axis to the steps of a series, with or without numbers at its ticks. */
void plot_script_steps(Text *script, const Series *series, bool has_labels);
void plot_script_colour(Text *script, Colour colour);

#endif
