#include "render/histogram_store.h"

#include <math.h>
#include <string.h>

static bool is_list(const HistogramList *list, const char *of, const char *name)
{
    return strcmp(list->name, name) == 0 && strcmp(list->of, of) == 0;
}

/* Events come in the same order in each step, so the list after the last one found is nearly always the right one. */
static HistogramList *find(HistogramStore *store, const char *of, const char *name)
{
    for (int i = 0; i < store->count; i++) {
        int place = (store->next + i) % store->count;
        if (is_list(store->lists[place], of, name)) {
            store->next = place + 1;
            return store->lists[place];
        }
    }
    return NULL;
}

static HistogramList *list_new(HistogramStore *store, const RunHistogram *histogram)
{
    if (store->count == store->capacity) {
        int larger = store->capacity ? 2 * store->capacity : 16;
        size_t one = sizeof *store->lists;
        store->lists = arena_grow(store->arena, store->lists, (size_t)store->capacity * one, (size_t)larger * one);
        store->capacity = larger;
    }
    HistogramList *list = ARENA_NEW(store->arena, HistogramList);
    list->of = arena_strdup(store->arena, histogram->of);
    list->name = arena_strdup(store->arena, histogram->name);
    list->every = 1;
    store->lists[store->count++] = list;
    return list;
}

static void store(Arena *arena, StoredHistogram *slot, int64_t step, const RunHistogram *histogram)
{
    if (histogram->count > slot->capacity) {
        slot->capacity = histogram->count + 16;
        slot->counts = ARENA_ARRAY(arena, double, slot->capacity);
    }
    slot->step = step;
    slot->first = histogram->first;
    slot->count = histogram->count;
    slot->total = 0;
    for (int i = 0; i < histogram->count; i++) {
        slot->counts[i] = histogram->counts[i] > 0 ? histogram->counts[i] : 0;
        slot->total += slot->counts[i];
    }
    double zeros = run_histogram_zeros(histogram);
    slot->zeros = zeros > 0 ? zeros / (zeros + slot->total) : 0;
}

/* Keeps every other one; the memory of those that leave is used again. */
static void thin(HistogramList *list)
{
    for (int i = 0; 2 * i < list->count; i++) {
        StoredHistogram kept = list->slots[2 * i];
        list->slots[2 * i] = list->slots[i];
        list->slots[i] = kept;
    }
    list->count = (list->count + 1) / 2;
    list->every *= 2;
}

void histogram_store_add(HistogramStore *all, int64_t step, const RunHistogram *histogram)
{
    HistogramList *list = find(all, histogram->of, histogram->name);
    if (!list)
        list = list_new(all, histogram);
    if (list->seen % list->every == 0 && list->count == HISTOGRAM_SLOTS)
        thin(list);
    if (list->seen % list->every == 0)
        store(all->arena, &list->slots[list->count++], step, histogram);
    store(all->arena, &list->last, step, histogram);
    list->seen++;
}

int histogram_list_choose(const HistogramList *list, const StoredHistogram *chosen[], int most)
{
    int count = 0;
    bool has_later = list->count > 0 && list->last.step > list->slots[list->count - 1].step;
    int from_slots = has_later ? most - 1 : most;
    int wanted = list->count < from_slots ? list->count : from_slots;
    for (int i = 0; i < wanted; i++) {
        /* Rounded, so that the first and, where nothing is later, the last slot are among them. */
        int place = wanted > 1 ? (int)lround((double)i * (list->count - 1) / (wanted - 1)) : 0;
        chosen[count++] = &list->slots[place];
    }
    if (has_later)
        chosen[count++] = &list->last;
    return count;
}
