/* The config's "precision": in which number type products are made, and whether the gradients are scaled. */
#ifndef GRADTOOL_TRAIN_MIXED_PRECISION_H
#define GRADTOOL_TRAIN_MIXED_PRECISION_H

#include "base/error.h"
#include "base/json.h"
#include "tensor/half.h"
#include "train/scaler.h"

typedef struct MixedPrecision {
    Precision type;    /* float32, or what autocast casts to */
    bool has_bfloat16; /* products of bfloat16 are made by this processor's instruction for them, else emulated in float32 */
    bool has_scaler;
    ScalerOptions scaler;
} MixedPrecision;

/* Reads the object and completes it. With float16 the scaler is on unless `enabled` is false; with the other types it is off
 * unless `enabled` is true, as a torch.amp.GradScaler beside them would be. */
bool mixed_precision_read(Arena *arena, Json *object, MixedPrecision *precision, Error *err);

/* How products of half numbers are made: "avx512_bf16" or "emulated"; NULL of float32. */
const char *mixed_precision_products(const MixedPrecision *precision);

/* For `gradtool list precisions`: a name and its line, false behind the last one. */
bool mixed_precision_row(int index, const char **name, const char **help);

#endif
