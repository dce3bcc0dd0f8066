/* Tensors as PyTorch prints them: rows in brackets, columns aligned, six significant digits. */
#ifndef GRADTOOL_CLI_ARRAY_TEXT_H
#define GRADTOOL_CLI_ARRAY_TEXT_H

#include "autograd/array.h"
#include "base/text.h"
#include "cli/figures.h"

/* "4", "0.333333", "1e-07", "nan" */
const char *array_number(char into[FIGURE_SIZE], double value);

/* Lines after the first begin with `indent` blanks. Of more than 1000 elements only the ends of each axis are shown. */
void array_add(Text *text, const Array *array, int indent);
/* On one line, for labels: "[1, 2, 3]", or "[64, 64] of norm 1.25" where there are more than six elements. */
const char *array_brief(Arena *arena, const Array *array);
/* All of it on one line, as it could be typed. */
const char *array_typed(Arena *arena, const Array *array);

#endif
