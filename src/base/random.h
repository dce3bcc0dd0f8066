/* A counter-based random generator: Philox4x32-10.
 *
 * A draw is a pure function of (seed, stream, index), so the order of use does not matter, and dropout, recomputation and
 * restarts draw the same numbers. Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3". */
#ifndef GRADTOOL_BASE_RANDOM_H
#define GRADTOOL_BASE_RANDOM_H

#include <stdint.h>

/* What a stream of numbers is for; the stream's number says which one of these (a layer, an epoch). */
typedef enum RandomUse {
    RANDOM_INIT = 1,
    RANDOM_SHUFFLE,
    RANDOM_DROPOUT,
    RANDOM_DATA,
    RANDOM_PENALTY,
    RANDOM_PROBE,
    RANDOM_LATENT
} RandomUse;

typedef struct Random {
    uint32_t key[2];
    uint32_t stream[2];
} Random;

Random random_stream(uint64_t seed, RandomUse use, uint64_t stream);

/* The block of four words at `index`. */
void random_block(const Random *random, uint64_t index, uint32_t words[4]);
/* The word at `index` (a quarter of block index/4). */
uint32_t random_word(const Random *random, uint64_t index);
/* In [0, 1), 24 and 53 random bits. */
float random_uniform_float(const Random *random, uint64_t index);
double random_uniform(const Random *random, uint64_t index);
/* Standard normal by Box-Muller, double precision. */
double random_normal(const Random *random, uint64_t index);
/* In [0, bound) without bias worth mentioning (64-bit multiply-shift). bound > 0. */
uint64_t random_below(const Random *random, uint64_t index, uint64_t bound);
/* A 64-bit hash of a string, for stream numbers that follow a name. */
uint64_t random_hash(const char *text);

#endif
