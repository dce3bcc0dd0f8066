/* A hash table of texts, open addressing, at most half full. */
#include "data/class_labels.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/csv_record.h"

typedef struct Label {
    const char *text;
    double number;
    long line, column;
    int entry;
} Label;

struct ClassLabels {
    Arena *arena;
    Label *label;
    int count, capacity;
    int *slot; /* an entry plus one, 0: free; 4 * capacity of them, a power of two */
    bool are_numbers;
};

ClassLabels *class_labels_new(Arena *arena)
{
    ClassLabels *labels = ARENA_NEW(arena, ClassLabels);
    *labels = (ClassLabels){.arena = arena, .capacity = 16, .are_numbers = true};
    labels->label = ARENA_ARRAY(arena, Label, labels->capacity);
    labels->slot = ARENA_ARRAY(arena, int, 4 * labels->capacity);
    return labels;
}

static int *find_slot(const ClassLabels *labels, const char *text)
{
    size_t mask = 4 * (size_t)labels->capacity - 1;
    for (size_t i = (size_t)random_hash(text) & mask;; i = (i + 1) & mask)
        if (labels->slot[i] == 0 || strcmp(labels->label[labels->slot[i] - 1].text, text) == 0)
            return &labels->slot[i];
}

static void grow(ClassLabels *labels)
{
    size_t bytes = sizeof(Label) * (size_t)labels->count;
    labels->label = arena_grow(labels->arena, labels->label, bytes, 2 * bytes);
    labels->capacity *= 2;
    labels->slot = ARENA_ARRAY(labels->arena, int, 4 * (size_t)labels->capacity);
    for (int i = 0; i < labels->count; i++)
        *find_slot(labels, labels->label[i].text) = i + 1;
}

int class_labels_add(ClassLabels *labels, const char *text, long line, long column)
{
    int *slot = find_slot(labels, text);
    if (*slot > 0)
        return *slot - 1;
    if (labels->count == labels->capacity) {
        grow(labels);
        slot = find_slot(labels, text);
    }
    Label *label = &labels->label[labels->count];
    *label = (Label){.text = arena_strdup(labels->arena, text), .line = line, .column = column, .entry = labels->count++};
    labels->are_numbers = csv_number(text, &label->number) && labels->are_numbers;
    *slot = labels->count;
    return label->entry;
}

static int by_number(const void *left, const void *right)
{
    const Label *a = left, *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

static int by_text(const void *left, const void *right)
{
    const Label *a = left, *b = right;
    return strcmp(a->text, b->text);
}

int class_labels_number(const ClassLabels *labels, const int **class_of, const char *const **names)
{
    Label *sorted = ARENA_ARRAY(labels->arena, Label, labels->count + 1);
    int *number = ARENA_ARRAY(labels->arena, int, labels->count + 1);
    const char **name = ARENA_ARRAY(labels->arena, const char *, labels->count + 1);
    int classes = 0;
    memcpy(sorted, labels->label, sizeof(Label) * (size_t)labels->count);
    qsort(sorted, (size_t)labels->count, sizeof(Label), labels->are_numbers ? by_number : by_text);
    for (int i = 0; i < labels->count; i++) {
        bool is_same = i > 0 && labels->are_numbers && sorted[i].number == sorted[i - 1].number;
        if (!is_same)
            name[classes++] =
                labels->are_numbers ? arena_printf(labels->arena, "%.15g", sorted[i].number + 0.0) : sorted[i].text;
        number[sorted[i].entry] = classes - 1;
    }
    *class_of = number;
    *names = name;
    return classes;
}

bool class_labels_find_nonfinite(const ClassLabels *labels, const char **text, long *line, long *column)
{
    for (int i = 0; labels->are_numbers && i < labels->count; i++)
        if (!isfinite(labels->label[i].number)) {
            *text = labels->label[i].text;
            *line = labels->label[i].line;
            *column = labels->label[i].column;
            return true;
        }
    return false;
}
