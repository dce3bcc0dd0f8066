#include "monitor/precision_loss.h"

#include <stdbool.h>
#include <stdlib.h>

const FormatRange format_range[FORMAT_COUNT] = {
    [FORMAT_FP16] = {"fp16", "fp16", -24, -14, 15, 65504},
    [FORMAT_BF16] = {"bf16", "bf16", -133, -126, 127, 0x1.FEp127},
    [FORMAT_E4M3] = {"fp8 E4M3", "fp8_e4m3", -9, -6, 8, 448},
    [FORMAT_E5M2] = {"fp8 E5M2", "fp8_e5m2", -16, -14, 15, 57344},
};

/* at[i] elements are below 2^(EXPONENT_FIRST + i). */
typedef struct Cumulative {
    uint64_t at[EXPONENT_BINS + 1];
} Cumulative;

static Cumulative cumulative_of(const ExponentHistogram *histogram)
{
    Cumulative below = {{0}};
    for (int bin = 0; bin < EXPONENT_BINS; bin++)
        below.at[bin + 1] = below.at[bin] + histogram->count[bin];
    return below;
}

static uint64_t below_exponent(const Cumulative *below, int exponent)
{
    int bin = exponent - EXPONENT_FIRST;
    return below->at[bin < 0 ? 0 : bin > EXPONENT_BINS ? EXPONENT_BINS : bin];
}

/* Scaling by 2^scale moves the values up; here the format's borders move down instead. */
static FormatLoss loss_at(const Cumulative *below, NumberFormat format, int scale)
{
    const FormatRange *range = &format_range[format];
    uint64_t all = below->at[EXPONENT_BINS];
    uint64_t zero = below_exponent(below, range->smallest - 1 - scale);
    uint64_t fitting = below_exponent(below, range->top - scale);
    return (FormatLoss){.counted = all,
                        .underflow = zero,
                        .subnormal = below_exponent(below, range->normal - scale) - zero,
                        .overflow = all - fitting,
                        .edge = below_exponent(below, range->top + 1 - scale) - fitting};
}

FormatLoss format_loss(const ExponentHistogram *histogram, NumberFormat format, int scale)
{
    Cumulative below = cumulative_of(histogram);
    return loss_at(&below, format, scale);
}

uint64_t exponents_below(const ExponentHistogram *histogram, int exponent)
{
    Cumulative below = cumulative_of(histogram);
    return below_exponent(&below, exponent);
}

double loss_share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

void exponents_add(ExponentHistogram *sum, const ExponentHistogram *histogram)
{
    for (int bin = 0; bin < EXPONENT_BINS; bin++)
        sum->count[bin] += histogram->count[bin];
    sum->zeros += histogram->zeros;
    sum->nonfinite += histogram->nonfinite;
}

void precision_loss_add(PrecisionLoss *loss, int64_t step, const ExponentHistogram *histogram)
{
    Cumulative below = cumulative_of(histogram);
    exponents_add(&loss->sum, histogram);
    loss->steps++;
    for (int format = 0; format < FORMAT_COUNT; format++) {
        for (int i = 0; i < LOSS_SCALES; i++) {
            FormatLoss at = loss_at(&below, (NumberFormat)format, LOSS_SCALE_LEAST + i);
            loss->lost[format][i] += at.overflow ? at.counted : at.underflow;
        }
        FormatLoss plain = loss_at(&below, (NumberFormat)format, 0);
        double share = loss_share(plain.underflow + plain.overflow, plain.counted);
        if (share > loss->worst[format].share) {
            loss->worst[format].share = share;
            loss->worst[format].step = step;
        }
    }
}

BestScale precision_loss_scale(const PrecisionLoss *loss, NumberFormat format)
{
    const uint64_t *lost = loss->lost[format];
    Cumulative below = cumulative_of(&loss->sum);
    uint64_t subnormal = 0;
    int best = 0;
    for (int i = 0; i < LOSS_SCALES; i++) {
        int scale = LOSS_SCALE_LEAST + i;
        uint64_t small = loss_at(&below, format, scale).subnormal;
        bool is_nearer = abs(scale) < abs(LOSS_SCALE_LEAST + best);
        bool is_finer = small < subnormal || (small == subnormal && is_nearer);
        if (i == 0 || lost[i] < lost[best] || (lost[i] == lost[best] && is_finer)) {
            best = i;
            subnormal = small;
        }
    }
    int low = best, high = best;
    while (low > 0 && lost[low - 1] == lost[best])
        low--;
    while (high < LOSS_SCALES - 1 && lost[high + 1] == lost[best])
        high++;
    return (BestScale){.best = LOSS_SCALE_LEAST + best,
                       .low = LOSS_SCALE_LEAST + low,
                       .high = LOSS_SCALE_LEAST + high,
                       .lost = loss_share(lost[best], below.at[EXPONENT_BINS])};
}
