/* Gradient flow in a terminal: a row a layer with its value and a bar on a logarithmic scale. */
#ifndef GRADTOOL_RENDER_TERMINAL_FLOW_H
#define GRADTOOL_RENDER_TERMINAL_FLOW_H

#include <stdbool.h>

#include "base/text.h"

typedef struct TerminalFlowOptions {
    bool ascii;         /* '#' instead of block characters */
    int width;          /* columns of the terminal; 0: 80 */
    const char *indent; /* before each row; NULL: none */
} TerminalFlowOptions;

/* Appends "fc1.weight  2.1e-01 ▅▅▅▅" for each of `count` values, in the order given, and a last line that says how far apart
 * the values lie and what a block is worth. Names are cut to fit. The longest bar is the largest value; the scale has at
 * least two decades. Zero, values that are not finite and run_missing() have words instead of a bar. */
void terminal_flow(Text *text, const char *const names[], const double values[], int count, const TerminalFlowOptions *options);

#endif
