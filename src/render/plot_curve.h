/* One row of a series as a curve over the steps: the raw values faint, the median of a window of 2 % over them. */
#ifndef GRADTOOL_RENDER_PLOT_CURVE_H
#define GRADTOOL_RENDER_PLOT_CURVE_H

#include <stdbool.h>

#include "base/text.h"
#include "render/plot_output.h"
#include "render/series.h"

/* The smallest and largest finite values that are not zero; NaN when there are none. Earlier ones are kept: start from NaN. */
void plot_curve_extent(const Series *series, int row, double *low, double *high);
/* Appends the data block $NAME. A value that is not finite leaves a gap. On a logarithmic axis, zeros are left out. */
void plot_curve_data(Text *script, const char *name, const Series *series, int row, bool is_log);

typedef enum CurveStyle {
    CURVE_FULL,   /* raw and median */
    CURVE_SMOOTH, /* the median alone */
    CURVE_POINTS  /* few values: a line with a mark at each */
} CurveStyle;

/* Appends the elements of a `plot` command for $NAME, without a comma at the end. title: NULL for none. */
void plot_curve_draw(Text *script, const char *name, const Series *series, CurveStyle style, Colour colour, const char *title);
/* Marks where a row is not finite: a band from where that begins and does not end, or a tick at each place at the top. */
void plot_curve_nonfinite(Text *script, const Series *series, int row);
/* A row of marks along the lower edge, on an axis of its own, where the row has values; nothing without any. The data block
 * $NAME, before the `plot` command; and an element of it that follows another. */
void plot_curve_marks_data(Text *script, const char *name, const Series *series, int row);
void plot_curve_marks(Text *script, const char *name, const Series *series, int row, unsigned colour, const char *title);
/* Of the marks of steps that a gradient scaler skipped, as of all that is not finite, and of those where a hook changed
 * something (Okabe and Ito's reddish purple). */
enum { PLOT_SKIP_COLOUR = 0xff0090, PLOT_HOOK_COLOUR = 0xcc79a7 };
/* Whether any finite value of the row is there. */
bool plot_curve_has_values(const Series *series, int row);

#endif
