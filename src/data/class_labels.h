/* Labels as a file writes them, numbered in sorted order: as numbers when all are, else by their bytes. */
#ifndef GRADTOOL_DATA_CLASS_LABELS_H
#define GRADTOOL_DATA_CLASS_LABELS_H

#include <stdbool.h>

#include "base/arena.h"

typedef struct ClassLabels ClassLabels;

ClassLabels *class_labels_new(Arena *arena);

/* The label's entry, from 0 in order of appearance. `line` and `column` say where it stands, for messages. */
int class_labels_add(ClassLabels *labels, const char *text, long line, long column);

/* Numbers the entries: class_of[entry] for all of them, names[class]; returns the number of classes. "1" and "1.0" are one
 * class when all labels are numbers, and it is called "1". */
int class_labels_number(const ClassLabels *labels, const int **class_of, const char *const **names);

/* When all labels are numbers: one that is not finite, and so no class. */
bool class_labels_find_nonfinite(const ClassLabels *labels, const char **text, long *line, long *column);

#endif
