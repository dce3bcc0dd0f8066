/* A sorted file that is not shuffled has batches of few classes. How few are too few is measured: random orders of the same
 * samples in the same batches say what to expect, whatever the classes' shares and the size of a batch. */
#include "diagnose/class_facts.h"

#include <math.h>

#include "base/random.h"

enum { BATCH_LIMIT = 512, PERMUTATIONS = 16 };

typedef struct Counter {
    const Config *config;
    size_t target; /* numbers of one */
    int classes;
    uint32_t *order;
    size_t *count; /* of each class, of a batch; 0 in between */
} Counter;

static double entropy_of(const size_t count[], int classes, double total)
{
    double entropy = 0;
    for (int c = 0; c < classes; c++)
        entropy -= count[c] ? (double)count[c] / total * log((double)count[c] / total) : 0;
    return fabs(entropy); /* of one class: not -0 */
}

static bool is_class(float number, int classes)
{
    return number >= 0 && number < (float)classes;
}

/* Of every class number of the batch's samples: adds to the counts and the total, or takes them out and returns the sum of
 * n ln n. */
static double count_batch(Counter *c, int64_t batch, bool add, double *total)
{
    const Dataset *data = &c->config->data.training;
    const uint32_t *order = c->order + batch * c->config->train.batch_size;
    double sum = 0;
    for (int64_t i = 0; i < config_micro_size(c->config, batch); i++)
        for (size_t k = 0; k < c->target; k++) {
            const float number = data->targets[order[i] * c->target + k];
            if (!is_class(number, c->classes))
                continue;
            size_t *count = &c->count[(size_t)number];
            if (add) {
                ++*count;
                ++*total;
            } else if (*count) {
                sum += (double)*count * log((double)*count);
                *count = 0;
            }
        }
    return sum;
}

static int64_t batches_of(const Config *config)
{
    const int64_t batches = config_micro_batches(config);
    return batches < BATCH_LIMIT ? batches : BATCH_LIMIT;
}

/* The mean entropy within the batches of an order: ln n - sum(c ln c) / n of each. NaN where no batch has a class. */
static double batch_entropy(Counter *c)
{
    double mean = 0, batches = 0;
    for (int64_t b = 0; b < batches_of(c->config); b++) {
        double total = 0;
        count_batch(c, b, true, &total);
        const double sum = count_batch(c, b, false, NULL);
        mean += total > 0 ? fmax(0, log(total) - sum / total) : 0;
        batches += total > 0;
    }
    return batches > 0 ? mean / batches : NAN;
}

/* Only the places that are looked at are drawn; an order that was shuffled before is as good a start as any. */
static void shuffle(Counter *c, uint64_t permutation)
{
    const size_t samples = c->config->data.training.samples;
    const size_t seen = (size_t)(batches_of(c->config) * c->config->train.batch_size);
    const Random random = random_stream(0, RANDOM_PROBE, permutation);
    for (size_t i = 0; i < seen && i + 1 < samples; i++) {
        const size_t other = i + (size_t)random_below(&random, i, samples - i);
        const uint32_t kept = c->order[i];
        c->order[i] = c->order[other];
        c->order[other] = kept;
    }
}

static void compare_batches(DataFacts *facts, Counter *c)
{
    double entropy[PERMUTATIONS], mean = 0, square = 0;
    facts->batch_entropy = batch_entropy(c);
    for (int i = 0; i < PERMUTATIONS; i++) {
        shuffle(c, (uint64_t)i);
        entropy[i] = batch_entropy(c);
        mean += entropy[i] / PERMUTATIONS;
    }
    for (int i = 0; i < PERMUTATIONS; i++)
        square += (entropy[i] - mean) * (entropy[i] - mean);
    facts->shuffled_batch_entropy = mean;
    facts->batch_entropy_deviation = sqrt(square / PERMUTATIONS);
}

void class_facts_fill(DataFacts *facts, const Config *config, Arena *arena)
{
    const Dataset *data = &config->data.training;
    const size_t target = shape_count(data->target);
    double total = 0;
    facts->class_count = ARENA_ARRAY(arena, size_t, facts->classes);
    for (size_t i = 0; i < data->samples * target; i++)
        if (is_class(data->targets[i], facts->classes)) {
            facts->class_count[(size_t)data->targets[i]]++;
            total++;
        }
    for (int c = 0; c < facts->classes; c++) {
        const size_t count = facts->class_count[c];
        facts->largest_class = count > facts->largest_class ? count : facts->largest_class;
        if (count && (!facts->smallest_class || count < facts->smallest_class))
            facts->smallest_class = count;
    }
    if (!(total > 0))
        return;
    facts->entropy = entropy_of(facts->class_count, facts->classes, total);
    facts->normalised_entropy = facts->classes > 1 ? facts->entropy / log(facts->classes) : NAN;
    Arena *scratch = arena_new(arena);
    Counter counter = {.config = config,
                       .target = target,
                       .classes = facts->classes,
                       .order = ARENA_ARRAY(scratch, uint32_t, data->samples),
                       .count = ARENA_ARRAY(scratch, size_t, facts->classes)};
    dataset_order(data->samples, config->seed, 0, config->train.shuffle, counter.order);
    compare_batches(facts, &counter);
    arena_free(scratch);
}
