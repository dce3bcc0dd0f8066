/* What a narrower number format would lose of a gradient, from its exact histogram by power of two.
 *
 * Values are rounded to nearest, ties to even. A format whose smallest subnormal is 2^s turns what is at most 2^(s-1) into
 * zero, so between 2^(s-1) and its smallest normal number values survive with fewer digits. A histogram tells values apart by
 * floor(log2(abs(value))) alone, which leaves two cases, counted so:
 *   - exactly 2^(s-1) becomes zero, but its bin goes on to 2^s: the bin counts as subnormal;
 *   - the bin that holds the largest number goes on beyond it (fp16: 65504 of 32768 to 65536): the whole bin counts as
 *     overflow, and by itself as `edge`. So a loss scale that is free of overflow here is free of it.
 *
 * A value that overflows becomes infinite or NaN and costs its whole step, as a gradient scaler skips it: that is how the best
 * loss scale is judged. Source: Micikevicius et al. 2018, "Mixed precision training", section 3.2; the fp8 formats are those of
 * Micikevicius et al. 2022, "FP8 formats for deep learning" (E4M3 has no infinity: its overflow is NaN, or saturates
 * where the conversion is asked to). */
#ifndef GRADTOOL_MONITOR_PRECISION_LOSS_H
#define GRADTOOL_MONITOR_PRECISION_LOSS_H

#include <stdint.h>

#include "tensor/statistics.h"

typedef enum NumberFormat { FORMAT_FP16, FORMAT_BF16, FORMAT_E4M3, FORMAT_E5M2, FORMAT_COUNT } NumberFormat;

typedef struct FormatRange {
    const char *name; /* "fp16", "bf16", "fp8 E4M3", "fp8 E5M2" */
    const char *key;  /* of a document: "fp16", "bf16", "fp8_e4m3", "fp8_e5m2" */
    int smallest;     /* the smallest subnormal is 2^smallest */
    int normal;       /* the smallest normal number is 2^normal */
    int top;          /* the largest number lies in [2^top, 2^(top+1)) */
    double largest;
} FormatRange;

extern const FormatRange format_range[FORMAT_COUNT];

/* Elements that are neither zero nor non-finite, by what becomes of them. */
typedef struct FormatLoss {
    uint64_t counted;   /* all of them */
    uint64_t underflow; /* become zero */
    uint64_t subnormal; /* keep fewer digits */
    uint64_t overflow;  /* become infinite or NaN, or may: edge included */
    uint64_t edge;      /* in the bin that holds the largest number */
} FormatLoss;

/* Adds the counts. */
void exponents_add(ExponentHistogram *sum, const ExponentHistogram *histogram);
/* Multiplied by 2^scale, then rounded to the format. */
FormatLoss format_loss(const ExponentHistogram *histogram, NumberFormat format, int scale);
/* Elements that are not zero and below 2^exponent in magnitude. */
uint64_t exponents_below(const ExponentHistogram *histogram, int exponent);
/* part / whole; 0 where there is nothing. */
double loss_share(uint64_t part, uint64_t whole);

/* Loss scales that a float32 can hold. */
enum { LOSS_SCALE_LEAST = -126, LOSS_SCALE_MOST = 127, LOSS_SCALES = LOSS_SCALE_MOST - LOSS_SCALE_LEAST + 1 };

/* Of one tensor, or of all together, over the steps that were added. Begins as zeros. */
typedef struct PrecisionLoss {
    ExponentHistogram sum;
    int64_t steps;
    struct {
        double share; /* of the step that loses most at loss scale 1: underflow and overflow; 0 where none loses any */
        int64_t step;
    } worst[FORMAT_COUNT];
    uint64_t lost[FORMAT_COUNT][LOSS_SCALES]; /* elements lost at 2^(LOSS_SCALE_LEAST + i); all of a step that overflows */
} PrecisionLoss;

/* What one step had. */
void precision_loss_add(PrecisionLoss *loss, int64_t step, const ExponentHistogram *histogram);

/* Powers of two as exponents. */
typedef struct BestScale {
    int best;      /* loses least; of these has the fewest subnormal values; of these is nearest to 1 */
    int low, high; /* the scales around it that lose as little */
    double lost;   /* share lost at it, the elements of steps that overflow included */
} BestScale;

/* Without any element that counts: scale 1 and all scales lose nothing. */
BestScale precision_loss_scale(const PrecisionLoss *loss, NumberFormat format);

#endif
