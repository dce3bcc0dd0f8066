#include "render/plot_curve.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "render/gnuplot.h"

enum { MEDIAN_FROM = 50 }; /* columns; with fewer the window would hold one */

void plot_curve_extent(const Series *series, int row, double *low, double *high)
{
    for (int column = 0; column < series_columns(series); column++) {
        const SeriesCell *cell = series_cell(series, row, column);
        if (isnan(cell->low))
            continue;
        if (!(*low <= cell->low))
            *low = cell->low;
        if (!(*high >= cell->high))
            *high = cell->high;
    }
}

bool plot_curve_has_values(const Series *series, int row)
{
    for (int column = 0; column < series_columns(series); column++)
        if (!isnan(series_cell(series, row, column)->first))
            return true;
    return false;
}

/* A raw value of the column: on a logarithmic axis one that is not zero; NaN when there is none. */
static double raw_value(const SeriesCell *cell, bool is_log)
{
    return is_log && cell->first == 0 ? cell->low : cell->first;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double running_median(const Series *series, int row, int column, bool is_log)
{
    double values[32] = {0};
    int reach = series_columns(series) / 100, count = 0;
    for (int i = column - reach; i <= column + reach && count < 32; i++) {
        if (i < 0 || i >= series_columns(series))
            continue;
        double value = raw_value(series_cell(series, row, i), is_log);
        if (!isnan(value))
            values[count++] = value;
    }
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count == 0 ? (double)NAN : count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void plot_curve_data(Text *script, const char *name, const Series *series, int row, bool is_log)
{
    text_printf(script, "$%s << EOD\n", name);
    bool was_gap = true;
    for (int column = 0; column < series_columns(series); column++) {
        const SeriesCell *cell = series_cell(series, row, column);
        double raw = raw_value(cell, is_log);
        if (!isnan(raw)) {
            double low = cell->has_zero && !is_log ? fmin(cell->low, 0) : cell->low;
            double high = cell->has_zero && !is_log ? fmax(cell->high, 0) : cell->high;
            text_printf(script, "%" PRId64 " %.9g %.9g %.9g %.9g\n", series_first_step(series, column), raw, low, high,
                        running_median(series, row, column, is_log));
            was_gap = false;
        }
        if (cell->has_nonfinite && !was_gap) {
            text_add_char(script, '\n');
            was_gap = true;
        }
    }
    /* An empty block is an error to gnuplot, a point that is not there is none. */
    text_add(script, "NaN NaN NaN NaN NaN\nEOD\n");
}

static void add_title(Text *script, const char *title)
{
    if (title) {
        text_add(script, " title ");
        gnuplot_quote(script, title);
    } else {
        text_add(script, " notitle");
    }
}

void plot_curve_draw(Text *script, const char *name, const Series *series, CurveStyle style, Colour colour, const char *title)
{
    bool has_median = series_columns(series) >= MEDIAN_FROM;
    if (style == CURVE_FULL && series_column_width(series) > 1) {
        text_printf(script, "$%s using 1:3:4 with filledcurves fillcolor rgb ", name);
        plot_script_colour(script, colour);
        text_add(script, " fillstyle transparent solid 0.25 noborder notitle, ");
    } else if (style == CURVE_FULL && has_median) {
        text_printf(script, "$%s using 1:2 with lines linewidth 0.6 linecolor rgb '#b0%02x%02x%02x' notitle, ", name,
                    colour.red, colour.green, colour.blue);
    }
    const char *with = style == CURVE_POINTS ? "linespoints pointtype 7 pointsize 0.4 linewidth 1.2" : "lines linewidth 1.5";
    bool is_smooth = style != CURVE_POINTS && has_median;
    text_printf(script, "$%s using 1:%d with %s linecolor rgb ", name, is_smooth ? 5 : 2, with);
    plot_script_colour(script, colour);
    add_title(script, title);
}

void plot_curve_marks_data(Text *script, const char *name, const Series *series, int row)
{
    if (!plot_curve_has_values(series, row))
        return;
    plot_curve_data(script, name, series, row, false);
    text_add(script, "set y2range [0:1]\n");
}

void plot_curve_marks(Text *script, const char *name, const Series *series, int row, unsigned colour, const char *title)
{
    if (!plot_curve_has_values(series, row))
        return;
    text_printf(script, ", $%s using 1:(0.03) axes x1y2 with points pointtype 9 pointsize 0.5 linecolor rgb '#%06x'", name,
                colour);
    add_title(script, title);
}

/* The height, as a part of the picture, at which a label near the row's first or last value does not lie on its curve. */
static double free_height(const Series *series, int row, bool at_end)
{
    double low = NAN, high = NAN, near = NAN;
    plot_curve_extent(series, row, &low, &high);
    for (int i = 0; i < series_columns(series) && isnan(near); i++)
        near = series_cell(series, row, at_end ? series_columns(series) - 1 - i : i)->first;
    PlotRange range = plot_range(low, high);
    bool is_high = range.is_log ? near * near > low * high : 2 * near > low + high;
    return is_high ? 0.09 : 0.93;
}

static void add_band(Text *script, const Series *series, int row)
{
    int64_t since = series_end(series, row).since, first = series_first_step(series, 0);
    int64_t last = series_last_step(series, series_columns(series) - 1);
    /* One step at the end must still be seen; a narrow band has its label at its left. */
    double span = (double)(last > first ? last - first : 1);
    double from = fmin((double)since, (double)last - 0.01 * span);
    bool is_narrow = (double)(since - first) > 0.7 * span;
    text_printf(script,
                "set object 1 rectangle from %.17g, graph 0 to graph 1, graph 1 behind fillcolor rgb '#ff0090' "
                "fillstyle solid 0.22 noborder\n"
                "set label 1 'non-finite from step %" PRId64 "' at %.17g, graph %g %s offset character %d, 0 noenhanced "
                "textcolor rgb '#c00070' front\n",
                from, since, from, free_height(series, row, true), is_narrow ? "right" : "left", is_narrow ? -1 : 1);
}

void plot_curve_nonfinite(Text *script, const Series *series, int row)
{
    SeriesEnd end = series_end(series, row);
    if (end.nonfinite == 0)
        return;
    if (end.is_nonfinite) {
        add_band(script, series, row);
        return;
    }
    for (int column = 0, arrow = 1; column < series_columns(series); column++)
        if (series_cell(series, row, column)->has_nonfinite)
            text_printf(script,
                        "set arrow %d from %" PRId64 ", graph 1 to %" PRId64 ", graph 0.95 nohead linecolor rgb '#ff0090' "
                        "linewidth 1.5 front\n",
                        arrow++, series_first_step(series, column), series_first_step(series, column));
    text_printf(script,
                "set label 1 'non-finite at %" PRId64 " of %" PRId64
                " steps' at graph 0.02, graph %g left noenhanced textcolor "
                "rgb '#c00070' front\n",
                end.nonfinite, end.observations, fmin(free_height(series, row, false), 0.88));
}
