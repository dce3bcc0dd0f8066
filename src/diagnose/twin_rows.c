/* Rows are sorted by a hash of their weights and then by the norm of their gradients, so that twins are neighbours. */
#include "diagnose/twin_rows.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/statistics.h"
#include "tensor/variant.h"

/* Equal rows of a product may differ in their last bits: kernels add in another order at the edge of a matrix. */
static const double tolerance = 1e-5;

typedef struct Row {
    uint64_t hash;
    double norm; /* of its gradient */
    const float *weight, *gradient;
} Row;

/* FNV-1a, a word at a time. */
static uint64_t hash_row(const float *row, size_t width)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < width; i++) {
        uint32_t word;
        memcpy(&word, &row[i], sizeof word);
        hash = (hash ^ word) * 1099511628211u;
    }
    return hash;
}

static int by_hash_and_norm(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->norm > y->norm) - (x->norm < y->norm);
}

static bool are_equal(const Row *a, const Row *b, size_t width)
{
    return a->hash == b->hash && !memcmp(a->weight, b->weight, sizeof(float) * width);
}

static bool are_twins(const Row *a, const Row *b, size_t width)
{
    if (!are_equal(a, b, width) || !(b->norm > 0))
        return false;
    const double apart = sqrt(statistics_square_sum(variant_best(), a->gradient, b->gradient, width));
    return apart <= tolerance * b->norm;
}

/* The share of rows to which a neighbour relates. */
static double share_related(const Row *row, size_t rows, size_t width, bool (*relate)(const Row *, const Row *, size_t))
{
    size_t related = 0;
    bool before = false;
    for (size_t i = 0; i < rows; i++) {
        const bool after = i + 1 < rows && relate(&row[i], &row[i + 1], width);
        related += before || after;
        before = after;
    }
    return (double)related / (double)rows;
}

TwinRows twin_rows_find(const float *weight, const float *gradient, size_t rows, size_t width, Arena *scratch)
{
    Row *row = ARENA_ARRAY(scratch, Row, rows);
    for (size_t i = 0; i < rows; i++) {
        row[i] = (Row){.hash = hash_row(weight + i * width, width), .weight = weight + i * width};
        if (!gradient)
            continue;
        row[i].gradient = gradient + i * width;
        row[i].norm = sqrt(statistics_square_sum(variant_best(), row[i].gradient, NULL, width));
        row[i].norm = isnan(row[i].norm) ? 0 : row[i].norm; /* NaN has no place in an order */
    }
    qsort(row, rows, sizeof *row, by_hash_and_norm);
    return (TwinRows){.equal = share_related(row, rows, width, are_equal),
                      .twins = gradient ? share_related(row, rows, width, are_twins) : NAN};
}
