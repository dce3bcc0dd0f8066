/* Where output goes: a terminal with its colours and width, or a file or pipe that wants plain text. */
#ifndef GRADTOOL_CLI_TERMINAL_H
#define GRADTOOL_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef enum ColourWhen { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } ColourWhen;

typedef struct Terminal {
    FILE *stream;
    bool is_live; /* a terminal that can redraw a line */
    bool has_colour;
    bool is_ascii; /* by request, or because the locale is not UTF-8 */
} Terminal;

/* Colour is on for a terminal unless TERM is dumb or NO_COLOR is set; FORCE_COLOR and CLICOLOR_FORCE turn it on; what the
 * user says on the command line wins. The locale must have been set. */
Terminal terminal_of(FILE *stream, ColourWhen when, bool ascii);
/* Columns, as of now; 80 where there is no telling. */
int terminal_width(const Terminal *terminal);

/* Escape sequences, empty without colour. */
const char *terminal_bold(const Terminal *terminal);
const char *terminal_dim(const Terminal *terminal);
const char *terminal_green(const Terminal *terminal);
const char *terminal_red(const Terminal *terminal);
const char *terminal_yellow(const Terminal *terminal);
const char *terminal_plain(const Terminal *terminal);

#endif
