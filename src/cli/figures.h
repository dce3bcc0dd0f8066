/* Numbers as people read them. */
#ifndef GRADTOOL_CLI_FIGURES_H
#define GRADTOOL_CLI_FIGURES_H

#include "base/arena.h"

/* Room for every figure, the terminating zero included. */
enum { FIGURE_SIZE = 32 };

/* "0.861", "12.3", "1.2e-07", "nan": so many significant digits. Writes to `into`, which it returns. */
const char *figure(char into[FIGURE_SIZE], double value, int digits);
/* "0:42", "1:02:03" */
const char *figure_time(char into[FIGURE_SIZE], double seconds);

/* "8,970"; "1.24e+12" beyond 2^53. */
const char *figure_count(Arena *arena, double count);
/* "35.9 kB" */
const char *figure_bytes(Arena *arena, double bytes);
/* "1 sample", "2 samples" */
const char *figure_of(Arena *arena, double count, const char *one);
/* A path or assignment as one word of a shell. */
const char *figure_word(Arena *arena, const char *text);

#endif
