/* The pictures of a run: from its log to PNG and SVG files. */
#ifndef GRADTOOL_RENDER_PLOT_H
#define GRADTOOL_RENDER_PLOT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "render/plot_data.h"

typedef struct PlotOptions {
    const char *only;    /* one picture by its name ("loss", "histogram_fc1.weight") or kind ("histogram"); NULL: all */
    bool png, svg;       /* neither: PNG */
    const char *folder;  /* where to; NULL: RUN/plots. It is made when it is missing */
    const char *palette; /* of heatmaps; NULL: viridis */
    const char *gnuplot; /* the program; NULL: gnuplot, found by PATH */
    const Prediction *prediction; /* of the net as it was before training; NULL: made from RUN/config.json where it is drawn */
} PlotOptions;

typedef struct PlotResult {
    const char *const *files; /* paths written */
    int file_count;
    const char *const *notes; /* a sentence each: what could not be drawn and why */
    int note_count;
} PlotResult;

/* Draws what the log has data for. Without gnuplot the heatmaps are drawn all the same and a note says what is missing. False
 * with an error when the run cannot be read, `only` names no picture or one without data (the error lists what there is), a
 * file cannot be written, or nothing at all could be drawn. */
bool plot_run(const char *run_folder, const PlotOptions *options, PlotResult *result, Arena *arena, Error *err);
/* The same from data that has been read. */
bool plot_data_draw(const PlotData *data, const PlotOptions *options, PlotResult *result, Arena *arena, Error *err);

struct PlotOutput;

/* A kind of picture: a file plot_<kind>.c and a line in plots.def. */
typedef struct Plot {
    const char *name;  /* of the file; a kind that makes several files adds _NAME */
    const char *help;  /* one line */
    const char *needs; /* what a log without data for it lacks */
    bool (*has_data)(const PlotData *data);
    const char *(*why_not)(const PlotData *data); /* where it has none, a clause; NULL: what it needs says it */
    bool (*draw)(struct PlotOutput *out, Error *err);
} Plot;

extern const Plot *const plot_table[];
extern const int plot_count;

#endif
