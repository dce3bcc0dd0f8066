/* Layer by step as a picture: a row a layer, in forward order with the input on top, a column a step or a few.
 *
 * The colour is log10 of the magnitude on a scale of whole decades around the 1 % and the 99 % quantile of what is shown, so
 * that one outlier does not make everything else look alike. Not finite, exactly zero and not logged have colours of their
 * own, in the legend where they occur. */
#ifndef GRADTOOL_RENDER_HEATMAP_H
#define GRADTOOL_RENDER_HEATMAP_H

#include <stdbool.h>

#include "base/arena.h"
#include "render/palette.h"
#include "render/scene.h"
#include "render/series.h"

typedef struct Heatmap {
    const char *title;
    const char *quantity;     /* beside the colour scale */
    const Series *series;     /* at least one row and one column */
    const char *const *names; /* of the rows */
    const Palette *palette;
    bool has_range;              /* the scale is given, to compare runs; else it follows the values */
    int decade_low, decade_high; /* powers of ten */
} Heatmap;

/* Where the cells are, in pixels of the PNG. */
typedef struct HeatmapPlace {
    int x, y, cell_width, row_height;
} HeatmapPlace;

/* The colour scale that is used: from 10^*low to 10^*high, at least two decades. */
void heatmap_range(const Heatmap *heatmap, Arena *arena, int *low, int *high);
/* The colour of one cell, transparent where nothing was logged. */
Pixel heatmap_cell(const Heatmap *heatmap, int low, int high, double center, const SeriesCell *cell);
/* The picture; *place, where not NULL, says where its cells are. NULL with an error when it does not fit into memory. */
Scene *heatmap_scene(Arena *arena, const Heatmap *heatmap, HeatmapPlace *place, Error *err);

#endif
