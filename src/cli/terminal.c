#include "cli/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_UNKNOWN = 80 };

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static bool is_forced(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

static bool wants_colour(bool is_live, ColourWhen when)
{
    if (when != COLOUR_AUTO)
        return when == COLOUR_ALWAYS;
    if (is_set("NO_COLOR"))
        return false;
    return is_live || is_forced("FORCE_COLOR") || is_forced("CLICOLOR_FORCE");
}

Terminal terminal_of(FILE *stream, ColourWhen when, bool ascii)
{
    const char *kind = getenv("TERM");
    Terminal terminal = {.stream = stream};
    terminal.is_live = isatty(fileno(stream)) && !(kind && !strcmp(kind, "dumb"));
    terminal.has_colour = wants_colour(terminal.is_live, when);
    terminal.is_ascii = ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    return terminal;
}

int terminal_width(const Terminal *terminal)
{
    struct winsize size;
    if (ioctl(fileno(terminal->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *columns = getenv("COLUMNS");
    int width = columns ? atoi(columns) : 0;
    return width > 0 && width < 10000 ? width : WIDTH_UNKNOWN;
}

static const char *escape(const Terminal *terminal, const char *sequence)
{
    return terminal->has_colour ? sequence : "";
}

const char *terminal_bold(const Terminal *terminal)
{
    return escape(terminal, "\033[1m");
}

const char *terminal_dim(const Terminal *terminal)
{
    return escape(terminal, "\033[2m");
}

const char *terminal_green(const Terminal *terminal)
{
    return escape(terminal, "\033[32m");
}

const char *terminal_red(const Terminal *terminal)
{
    return escape(terminal, "\033[1;31m");
}

const char *terminal_yellow(const Terminal *terminal)
{
    return escape(terminal, "\033[33m");
}

const char *terminal_plain(const Terminal *terminal)
{
    return escape(terminal, "\033[0m");
}
