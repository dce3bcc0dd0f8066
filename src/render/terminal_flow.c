#include "render/terminal_flow.h"

#include <math.h>
#include <string.h>

#include "monitor/run_line.h"
#include "render/font.h"

enum { BAR_MOST = 24, BAR_LEAST = 8, NAME_MOST = 40, NUMBER_WIDTH = 9 };

typedef struct Scale {
    double low, high; /* decades of the smallest and the largest value; NaN when there is none */
    double bottom;    /* decade at which a bar would have no length */
    int bar;          /* columns of the longest bar */
    int name;         /* columns of the names */
} Scale;

static Scale scale_of(const char *const names[], const double values[], int count, int width)
{
    Scale scale = {.low = NAN, .high = NAN};
    for (int i = 0; i < count; i++) {
        int columns = text_width(names[i]);
        scale.name = columns > scale.name ? columns : scale.name;
        double magnitude = fabs(values[i]);
        if (!isfinite(magnitude) || magnitude == 0)
            continue;
        scale.low = fmin(scale.low, log10(magnitude));
        scale.high = fmax(scale.high, log10(magnitude));
    }
    int room = width - NUMBER_WIDTH - 3;
    scale.name = scale.name < NAME_MOST ? scale.name : NAME_MOST;
    if (scale.name > room - BAR_LEAST)
        scale.name = room - BAR_LEAST > 8 ? room - BAR_LEAST : 8;
    scale.bar = room - scale.name < BAR_MOST ? room - scale.name : BAR_MOST;
    if (scale.bar < 1)
        scale.bar = 1;
    /* The smallest value keeps one block, and a spread below two decades does not fill the scale. */
    double spread = fmax(scale.high - scale.low, 2);
    scale.bottom = scale.high - spread * scale.bar / fmax(scale.bar - 1, 1);
    return scale;
}

/* The name in exactly scale->name columns, cut in front, for the end says which tensor it is. */
static void add_name(Text *text, const Scale *scale, const char *name, bool ascii)
{
    int columns = text_width(name);
    if (columns > scale->name) {
        text_add(text, ascii ? "~" : "\xe2\x80\xa6");
        while (*name && text_width(name) > scale->name - 1)
            font_next(&name);
        columns = 1 + text_width(name);
    }
    text_add(text, name);
    for (; columns < scale->name; columns++)
        text_add_char(text, ' ');
}

static void add_value(Text *text, const Scale *scale, double value, bool ascii)
{
    if (run_is_missing(value)) {
        text_printf(text, "%*s  no gradient", NUMBER_WIDTH, "-");
    } else if (isnan(value)) {
        text_printf(text, "%*s  not a number", NUMBER_WIDTH, "NaN");
    } else if (isinf(value)) {
        text_printf(text, "%*s  infinite", NUMBER_WIDTH, value > 0 ? "inf" : "-inf");
    } else if (value == 0) {
        text_printf(text, "%*s  exactly zero", NUMBER_WIDTH, "0");
    } else {
        double part = (log10(fabs(value)) - scale->bottom) / (scale->high - scale->bottom);
        int blocks = (int)lround(part * scale->bar);
        text_printf(text, "%*.1e  ", NUMBER_WIDTH, value);
        for (int i = 0; i < (blocks > 1 ? blocks : 1); i++)
            text_add(text, ascii ? "#" : "\xe2\x96\x85");
    }
}

void terminal_flow(Text *text, const char *const names[], const double values[], int count, const TerminalFlowOptions *options)
{
    const char *indent = options->indent ? options->indent : "";
    int width = (options->width > 0 ? options->width : 80) - text_width(indent);
    Scale scale = scale_of(names, values, count, width);
    for (int i = 0; i < count; i++) {
        text_add(text, indent);
        add_name(text, &scale, names[i], options->ascii);
        add_value(text, &scale, values[i], options->ascii);
        text_add_char(text, '\n');
    }
    if (scale.low <= scale.high)
        text_printf(text, "%sspread %.1f decades, a block is %.2f\n", indent, scale.high - scale.low,
                    (scale.high - scale.bottom) / scale.bar);
}
