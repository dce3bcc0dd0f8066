/* Robust statistics of series. Values that are missing or not finite are passed over. Nothing is allocated. */
#ifndef GRADTOOL_DIAGNOSE_ROBUST_H
#define GRADTOOL_DIAGNOSE_ROBUST_H

#include <stdbool.h>
#include <stdint.h>

#include "diagnose/record.h"

/* The part of a series in steps [first, last]; and its last or first `count` observations. */
RecordSeries series_between(RecordSeries series, int64_t first, int64_t last);
RecordSeries series_tail(RecordSeries series, int count);
RecordSeries series_head(RecordSeries series, int count);
/* The last `share` (0 to 1) of the steps that it spans; the last observation at least. */
RecordSeries series_last_share(RecordSeries series, double share);

/* How many values are finite. */
int series_finite(RecordSeries series);
/* Each NaN when there is no value. The quantile at `share` (0 to 1) lies between two values as NumPy's default does. */
double series_median(RecordSeries series);
double series_quantile(RecordSeries series, double share);
double series_minimum(RecordSeries series);
double series_maximum(RecordSeries series);
double series_mean(RecordSeries series);
double series_first(RecordSeries series);
double series_last(RecordSeries series);
double median_of(const double values[], int count);

/* (x - median) / (1.4826 MAD + 0.02) of log10 values; values of the window that are not positive are passed over, and all but
 * the last RECORD_WINDOW. NaN for a value that is not positive and for an empty window. */
double robust_z(double value, const double window[], int count);
/* The same where all are logarithms and the window is sorted; count > 0. */
double robust_z_sorted(double logarithm, const double window[], int count);

/* Theil-Sen: the median of slopes between pairs, a step, and the interval that holds the true one with 95 % (Sen 1968, by
 * Kendall's variance without ties). With `logarithmic`, of log10 of the values, those that are not positive being passed over.
 * Of more than 400 observations evenly chosen ones are taken. NaN for less than two. */
typedef struct TrendLine {
    double slope, low, high;
    int count; /* observations taken */
} TrendLine;
TrendLine series_trend(RecordSeries series, bool logarithmic);

/* Least squares of y over 0, 1, 2, ...; values that are not finite are passed over. r2 of a constant y is 1, as the line goes
 * through it. NaN for less than two values. */
typedef struct LineFit {
    double slope, intercept, r2;
} LineFit;
LineFit line_fit(const double y[], int count);

/* The share of observations for which value > limit (< limit), 0 when there are none; and the first step from which that holds
 * for all to the end, -1 when it does not hold at the end. */
double series_share_above(RecordSeries series, double limit);
int64_t series_above_since(RecordSeries series, double limit);
double series_share_below(RecordSeries series, double limit);
int64_t series_below_since(RecordSeries series, double limit);

/* Persistence: holds[i] is whether the condition held at check i. */
bool holds_mostly(const bool holds[], int count); /* in 5 of some 8 checks in a row */
bool holds_to_end(const bool holds[], int count); /* in 20 in a row somewhere, or throughout the last quarter (at least 3) */

/* Exponential mean with this many steps of memory: the weight of an observation falls by e over them, however far apart the
 * observations are. It starts at the median of the first 8 values; `out` has series.count entries, and a value that is passed
 * over leaves the mean as it was. NaN throughout when there is no value. */
void series_smooth(RecordSeries series, double steps, double out[]);
/* Lag-1 autocorrelation of the differences between neighbours: -0.5 of independent noise, near 1 of a smooth curve. NaN for
 * less than 4 values and where the differences are all equal. */
double series_difference_autocorrelation(RecordSeries series);

#endif
