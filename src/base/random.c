/* Philox4x32-10: ten rounds of two 32x32 -> 64 bit products over a counter of four words, with a key that walks on by
 * Weyl constants. Constants from the paper's reference, Random123. */
#include "base/random.h"

#include <math.h>

#define PI 3.14159265358979323846

/* The use takes the top byte of the stream, so that no two uses share a counter; 56 bits are left for the number. */
Random random_stream(uint64_t seed, RandomUse use, uint64_t stream)
{
    uint64_t number = (stream & 0x00ffffffffffffffu) | (uint64_t)use << 56;
    return (Random){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .stream = {(uint32_t)number, (uint32_t)(number >> 32)}};
}

void random_block(const Random *random, uint64_t index, uint32_t words[4])
{
    uint32_t a = (uint32_t)index, b = (uint32_t)(index >> 32), c = random->stream[0], d = random->stream[1];
    uint32_t key0 = random->key[0], key1 = random->key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)a * 0xd2511f53u, product1 = (uint64_t)c * 0xcd9e8d57u;
        a = (uint32_t)(product1 >> 32) ^ b ^ key0;
        b = (uint32_t)product1;
        c = (uint32_t)(product0 >> 32) ^ d ^ key1;
        d = (uint32_t)product0;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
}

uint32_t random_word(const Random *random, uint64_t index)
{
    uint32_t words[4];
    random_block(random, index / 4, words);
    return words[index % 4];
}

/* The half of block index/2 that belongs to the index. */
static uint64_t double_word(const Random *random, uint64_t index)
{
    uint32_t words[4];
    random_block(random, index / 2, words);
    uint32_t low = words[index % 2 * 2], high = words[index % 2 * 2 + 1];
    return (uint64_t)high << 32 | low;
}

float random_uniform_float(const Random *random, uint64_t index)
{
    return (float)(random_word(random, index) >> 8) * 0x1p-24f;
}

double random_uniform(const Random *random, uint64_t index)
{
    return (double)(double_word(random, index) >> 11) * 0x1p-53;
}

/* A block gives one pair: cosine for the even index, sine for the odd one. */
double random_normal(const Random *random, uint64_t index)
{
    uint64_t pair = index / 2 * 2;
    double radius = sqrt(-2 * log(1 - random_uniform(random, pair))); /* 1 - u is in (0, 1] */
    double angle = 2 * PI * random_uniform(random, pair + 1);
    return radius * (index % 2 ? sin(angle) : cos(angle));
}

/* The upper half of the 128-bit product, from 32-bit halves: no type beyond C11 is needed. */
uint64_t random_below(const Random *random, uint64_t index, uint64_t bound)
{
    uint64_t word = double_word(random, index);
    uint64_t word_high = word >> 32, word_low = word & 0xffffffffu;
    uint64_t bound_high = bound >> 32, bound_low = bound & 0xffffffffu;
    uint64_t middle = word_high * bound_low + (word_low * bound_low >> 32);
    uint64_t carry = word_low * bound_high + (middle & 0xffffffffu);
    return word_high * bound_high + (middle >> 32) + (carry >> 32);
}

/* FNV-1a, then a mix (the finalizer of splitmix64) so that the top bits depend on short names as well. */
uint64_t random_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}
