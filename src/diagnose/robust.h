/* Robust statistics of series. Values that are missing or not finite are passed over. */
#ifndef GRADTOOL_DIAGNOSE_ROBUST_H
#define GRADTOOL_DIAGNOSE_ROBUST_H

#include <stdbool.h>
#include <stdint.h>

#include "diagnose/record.h"

/* The part of a series in steps [first, last]; and its last or first `count` observations. */
RecordSeries series_between(RecordSeries series, int64_t first, int64_t last);
RecordSeries series_tail(RecordSeries series, int count);
RecordSeries series_head(RecordSeries series, int count);
/* The last `share` (0 to 1) of its steps. */
RecordSeries series_last_share(RecordSeries series, double share);

int series_finite(RecordSeries series);
/* NaN when there is no value. */
double series_median(RecordSeries series);
double series_quantile(RecordSeries series, double share);
double series_minimum(RecordSeries series);
double series_maximum(RecordSeries series);
double series_mean(RecordSeries series);
double series_first(RecordSeries series);
double series_last(RecordSeries series);
double median_of(double values[], int count); /* reorders values */

/* (x - median) / (1.4826 MAD + floor) of log10 values; the floor is 0.02. */
double robust_z(double value, const double window[], int count);

/* Theil-Sen: the median of slopes between pairs, and the interval that holds the true one with 95 % (Sen 1968, by Kendall's
 * variance). Of value over step; of more than 400 observations evenly chosen ones are taken. */
typedef struct TrendLine {
    double slope, low, high;
    int count;
} TrendLine;
TrendLine series_trend(RecordSeries series, bool logarithmic);

/* Least squares of y over 0, 1, 2, ... */
typedef struct LineFit {
    double slope, intercept, r2;
} LineFit;
LineFit line_fit(const double y[], int count);

/* The share of observations for which value > limit; the first step from which it holds for good (0: it does not at the end);
 * the longest run. */
double series_share_above(RecordSeries series, double limit);
int64_t series_above_since(RecordSeries series, double limit);
double series_share_below(RecordSeries series, double limit);
int64_t series_below_since(RecordSeries series, double limit);

/* Persistence: holds[i] is whether the condition held at check i. */
bool holds_mostly(const bool holds[], int count); /* in 5 of some 8 checks in a row */
bool holds_to_end(const bool holds[], int count); /* 20 in a row, or throughout the last quarter (at least 3) */

/* Exponential mean with this many steps of memory, started at the first values' median; `out` has series.count entries. */
void series_smooth(RecordSeries series, double steps, double out[]);
/* Lag-1 autocorrelation of the differences. */
double series_difference_autocorrelation(RecordSeries series);

#endif
