/* The arrays of a statistics event. */
#include "monitor/instrument.h"

#include <math.h>

static double zero_fraction(const Statistics *s)
{
    return (double)s->zeros / (double)s->count;
}

static double least(const Statistics *s)
{
    return s->min;
}

static double greatest(const Statistics *s)
{
    return s->max;
}

static double nonfinite_count(const Statistics *s)
{
    return (double)s->nonfinite;
}

void instrument_write_statistics(RunLog *log, const Statistics statistics[], const bool present[], int count)
{
    static const struct {
        const char *key;
        double (*value)(const Statistics *s);
    } arrays[] = {{"norm", statistics_norm},     {"min", least},          {"max", greatest},
                  {"mean", statistics_mean},     {"std", statistics_std}, {"zeros", zero_fraction},
                  {"nonfinite", nonfinite_count}};
    for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++) {
        Text *text = run_log_key(log, arrays[a].key);
        text_add_char(text, '[');
        for (int i = 0; i < count; i++) {
            if (i)
                text_add_char(text, ',');
            if (present[i])
                text_add_number(text, arrays[a].value(&statistics[i]));
            else
                text_add(text, "null");
        }
        text_add_char(text, ']');
    }
}
