/* What a terminal shows of a step that was not finite: what, where, why, out of which samples, what to try, how to see it
 * again.
 */
#ifndef GRADTOOL_CLI_NONFINITE_MESSAGE_H
#define GRADTOOL_CLI_NONFINITE_MESSAGE_H

#include "base/text.h"
#include "cli/terminal.h"
#include "train/nonfinite.h"

/* Appends some lines. `reproducer` is the path of its config, or NULL. */
void nonfinite_message(Text *text, const Terminal *terminal, const NonfiniteReport *report, const char *reproducer);
/* What may help, in one line. */
const char *nonfinite_advice(const NonfiniteReport *report, Arena *arena);

#endif
