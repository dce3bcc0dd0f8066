#include "diagnose/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TREND_POINTS = 400, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, SMOOTH_START = 8 };

static RecordSeries part(RecordSeries series, int from, int count)
{
    return (RecordSeries){series.step ? series.step + from : NULL, series.value ? series.value + from : NULL, count};
}

RecordSeries series_between(RecordSeries series, int64_t first, int64_t last)
{
    int from = 0, to = series.count;
    while (from < to && series.step[from] < first)
        from++;
    while (to > from && series.step[to - 1] > last)
        to--;
    return part(series, from, to - from);
}

RecordSeries series_tail(RecordSeries series, int count)
{
    count = count < 0 ? 0 : count > series.count ? series.count : count;
    return part(series, series.count - count, count);
}

RecordSeries series_head(RecordSeries series, int count)
{
    count = count < 0 ? 0 : count > series.count ? series.count : count;
    return part(series, 0, count);
}

RecordSeries series_last_share(RecordSeries series, double share)
{
    if (series.count == 0)
        return series;
    int64_t first = series.step[0], last = series.step[series.count - 1];
    double length = share * (double)(last - first);
    return series_between(series, last - (int64_t)(length > 0 ? length : 0), last);
}

/* The finite values of a series, or the slopes between all pairs of points, one after another: what a quantile is taken of
 * without a place to sort it in. */
typedef struct Values {
    const double *step; /* NULL: the values themselves */
    const double *value;
    int count, i, j;
} Values;

static bool next_value(Values *values, double *value)
{
    if (values->step) {
        if (++values->j >= values->count) {
            values->i++;
            values->j = values->i + 1;
        }
        if (values->j >= values->count)
            return false;
        *value = (values->value[values->j] - values->value[values->i]) / (values->step[values->j] - values->step[values->i]);
        return true;
    }
    while (values->i < values->count && !isfinite(values->value[values->i]))
        values->i++;
    if (values->i == values->count)
        return false;
    *value = values->value[values->i++];
    return true;
}

/* Whole numbers in the order of the doubles. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double value_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The value of this rank, from 0: digit by digit, by counting. rank must be below the number of values. */
static double value_of_rank(Values values, int64_t rank)
{
    uint64_t prefix = 0;
    for (int shift = 64 - DIGIT_BITS, known = 64; known > 0; known = shift, shift -= shift < DIGIT_BITS ? shift : DIGIT_BITS) {
        uint32_t count[DIGITS] = {0};
        uint64_t mask = ((uint64_t)1 << (known - shift)) - 1;
        Values each = values;
        double value;
        while (next_value(&each, &value)) {
            uint64_t key = key_of(value);
            if (known == 64 || key >> known == prefix >> known)
                count[key >> shift & mask]++;
        }
        uint64_t digit = 0;
        while (digit < mask && rank >= count[digit])
            rank -= count[digit++];
        prefix |= digit << shift;
    }
    return value_of(prefix);
}

static double quantile(Values values, int64_t count, double share)
{
    if (count == 0)
        return NAN;
    double position = share * (double)(count - 1);
    int64_t rank = (int64_t)position;
    double low = value_of_rank(values, rank), rest = position - (double)rank;
    return rest > 0 ? low + rest * (value_of_rank(values, rank + 1) - low) : low;
}

int series_finite(RecordSeries series)
{
    int count = 0;
    for (int i = 0; i < series.count; i++)
        count += isfinite(series.value[i]) != 0;
    return count;
}

double series_quantile(RecordSeries series, double share)
{
    return quantile((Values){.value = series.value, .count = series.count}, series_finite(series), share);
}

double series_median(RecordSeries series)
{
    return series_quantile(series, 0.5);
}

double median_of(const double values[], int count)
{
    return series_median((RecordSeries){NULL, values, count});
}

double series_minimum(RecordSeries series)
{
    double least = NAN;
    for (int i = 0; i < series.count; i++)
        if (isfinite(series.value[i]) && !(least <= series.value[i]))
            least = series.value[i];
    return least;
}

double series_maximum(RecordSeries series)
{
    double greatest = NAN;
    for (int i = 0; i < series.count; i++)
        if (isfinite(series.value[i]) && !(greatest >= series.value[i]))
            greatest = series.value[i];
    return greatest;
}

double series_mean(RecordSeries series)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < series.count; i++) {
        if (isfinite(series.value[i])) {
            sum += series.value[i];
            count++;
        }
    }
    return count > 0 ? sum / count : NAN;
}

double series_first(RecordSeries series)
{
    for (int i = 0; i < series.count; i++)
        if (isfinite(series.value[i]))
            return series.value[i];
    return NAN;
}

double series_last(RecordSeries series)
{
    for (int i = series.count - 1; i >= 0; i--)
        if (isfinite(series.value[i]))
            return series.value[i];
    return NAN;
}

static double middle_of(const double sorted[], int count)
{
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* The median of |x - middle| of sorted values, by walking outwards from the middle. */
static double median_deviation(const double sorted[], int count, double middle)
{
    int right = count / 2, left = right - 1;
    double before = 0, current = 0;
    for (int taken = 0; taken <= count / 2; taken++) {
        before = current;
        bool takes_right = left < 0 || (right < count && sorted[right] - middle < middle - sorted[left]);
        current = takes_right ? sorted[right++] - middle : middle - sorted[left--];
    }
    return count % 2 ? current : (before + current) / 2;
}

double robust_z_sorted(double logarithm, const double window[], int count)
{
    double middle = middle_of(window, count);
    return (logarithm - middle) / (1.4826 * median_deviation(window, count, middle) + 0.02);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double robust_z(double value, const double window[], int count)
{
    double sorted[RECORD_WINDOW];
    int taken = 0;
    for (int i = count - 1; i >= 0 && taken < RECORD_WINDOW; i--)
        if (isfinite(window[i]) && window[i] > 0)
            sorted[taken++] = log10(window[i]);
    if (taken == 0 || !(value > 0))
        return NAN;
    qsort(sorted, (size_t)taken, sizeof *sorted, ascending);
    return robust_z_sorted(log10(value), sorted, taken);
}

static bool counts_for_trend(double value, bool logarithmic)
{
    return isfinite(value) && (!logarithmic || value > 0);
}

/* Evenly chosen: the first, the last, and those nearest to equal parts in between. */
static int choose_points(RecordSeries series, bool logarithmic, double step[], double value[])
{
    int available = 0, seen = 0, taken = 0;
    for (int i = 0; i < series.count; i++)
        available += counts_for_trend(series.value[i], logarithmic);
    int wanted = available < TREND_POINTS ? available : TREND_POINTS;
    for (int i = 0; i < series.count && taken < wanted; i++) {
        if (!counts_for_trend(series.value[i], logarithmic))
            continue;
        if (seen++ < (wanted > 1 ? (int64_t)taken * (available - 1) / (wanted - 1) : 0))
            continue;
        step[taken] = (double)series.step[i];
        value[taken++] = logarithmic ? log10(series.value[i]) : series.value[i];
    }
    return taken;
}

TrendLine series_trend(RecordSeries series, bool logarithmic)
{
    double step[TREND_POINTS], value[TREND_POINTS];
    int n = choose_points(series, logarithmic, step, value);
    if (n < 2)
        return (TrendLine){NAN, NAN, NAN, n};
    const Values slopes = {.step = step, .value = value, .count = n};
    int64_t pairs = (int64_t)n * (n - 1) / 2;
    /* Sen 1968, equation 4.4: the ranks half of 1.96 deviations of Kendall's statistic away from the middle. */
    double width = 1.959963984540054 * sqrt((double)n * (n - 1) * (2 * n + 5) / 18);
    int64_t low = (int64_t)floor(((double)pairs - width) / 2) - 1, high = (int64_t)ceil(((double)pairs + width) / 2);
    return (TrendLine){
        .slope = quantile(slopes, pairs, 0.5),
        .low = value_of_rank(slopes, low < 0 ? 0 : low),
        .high = value_of_rank(slopes, high >= pairs ? pairs - 1 : high),
        .count = n,
    };
}

LineFit line_fit(const double y[], int count)
{
    double n = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < count; i++) {
        if (!isfinite(y[i]))
            continue;
        /* Welford's updates: no sums of squares that cancel. */
        n++;
        double dx = i - mean_x, dy = y[i] - mean_y;
        mean_x += dx / n;
        mean_y += dy / n;
        xx += dx * (i - mean_x);
        xy += dx * (y[i] - mean_y);
        yy += dy * (y[i] - mean_y);
    }
    if (n < 2)
        return (LineFit){NAN, NAN, NAN};
    double slope = xy / xx;
    return (LineFit){slope, mean_y - slope * mean_x, yy > 0 ? xy * xy / (xx * yy) : 1};
}

typedef bool Compare(double value, double limit);

static bool is_above(double value, double limit)
{
    return value > limit;
}

static bool is_below(double value, double limit)
{
    return value < limit;
}

static double share_of(RecordSeries series, double limit, Compare *holds)
{
    int count = 0, held = 0;
    for (int i = 0; i < series.count; i++) {
        if (isfinite(series.value[i])) {
            count++;
            held += holds(series.value[i], limit);
        }
    }
    return count > 0 ? (double)held / count : 0;
}

static int64_t held_since(RecordSeries series, double limit, Compare *holds)
{
    int64_t since = -1;
    for (int i = series.count - 1; i >= 0; i--) {
        if (!isfinite(series.value[i]))
            continue;
        if (!holds(series.value[i], limit))
            break;
        since = series.step[i];
    }
    return since;
}

double series_share_above(RecordSeries series, double limit)
{
    return share_of(series, limit, is_above);
}

int64_t series_above_since(RecordSeries series, double limit)
{
    return held_since(series, limit, is_above);
}

double series_share_below(RecordSeries series, double limit)
{
    return share_of(series, limit, is_below);
}

int64_t series_below_since(RecordSeries series, double limit)
{
    return held_since(series, limit, is_below);
}

bool holds_mostly(const bool holds[], int count)
{
    int held = 0;
    for (int i = 0; i < count; i++) {
        held += holds[i];
        if (i >= 8)
            held -= holds[i - 8];
        if (held >= 5)
            return true;
    }
    return false;
}

bool holds_to_end(const bool holds[], int count)
{
    int run = 0;
    for (int i = 0; i < count; i++) {
        run = holds[i] ? run + 1 : 0;
        if (run >= 20)
            return true;
    }
    return run >= 3 && run >= count / 4;
}

void series_smooth(RecordSeries series, double steps, double out[])
{
    double first[SMOOTH_START] = {0};
    int taken = 0;
    for (int i = 0; i < series.count && taken < SMOOTH_START; i++)
        if (isfinite(series.value[i]))
            first[taken++] = series.value[i];
    double mean = median_of(first, taken);
    int last = -1;
    for (int i = 0; i < series.count; i++) {
        if (isfinite(series.value[i])) {
            double apart = last < 0 ? 1 : (double)(series.step[i] - series.step[last]);
            mean += -expm1(-apart / steps) * (series.value[i] - mean);
            last = i;
        }
        out[i] = mean;
    }
}

double series_difference_autocorrelation(RecordSeries series)
{
    int count = series_finite(series);
    if (count < 4)
        return NAN;
    double mean = (series_last(series) - series_first(series)) / (count - 1);
    double squares = 0, products = 0, value_before = NAN, difference_before = NAN;
    for (int i = 0; i < series.count; i++) {
        if (!isfinite(series.value[i]))
            continue;
        double difference = series.value[i] - value_before - mean;
        if (!isnan(difference))
            squares += difference * difference;
        if (!isnan(difference_before) && !isnan(difference))
            products += difference * difference_before;
        value_before = series.value[i];
        difference_before = difference;
    }
    return squares > 0 ? products / squares : NAN;
}
