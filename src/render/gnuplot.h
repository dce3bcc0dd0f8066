/* gnuplot as a child process, without a shell: the script goes in, the picture comes out, nothing touches the disk. */
#ifndef GRADTOOL_RENDER_GNUPLOT_H
#define GRADTOOL_RENDER_GNUPLOT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/* Runs `program` (NULL: gnuplot, found by PATH) on the script and appends what it writes to standard output. False with an
 * error when it cannot be started (*missing says whether there is no such program), ends with another status than 0, or
 * writes nothing; the error then has what it said. A gnuplot that dies early raises no SIGPIPE. */
bool gnuplot_run(const char *program, const Text *script, Text *output, bool *missing, Error *err);

/* Appends the text in single quotes, in which gnuplot replaces nothing (in double quotes it would run `commands`). Whether
 * ^ and _ are marks is up to the statement: names are written with `noenhanced`. */
void gnuplot_quote(Text *script, const char *text);
/* The same for the label of a tick, where gnuplot takes % for the beginning of a number's format. */
void gnuplot_quote_tick(Text *script, const char *text);

#endif
