#include "cli/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND(name) extern const CommandRow cmd_##name;
#include "cli/commands.def"

const CommandRow *const command_table[] = {
#define COMMAND(name) &cmd_##name,
#include "cli/commands.def"
};
const int command_count = sizeof command_table / sizeof *command_table;

static const char *const colour_choices[] = {"auto", "always", "never", NULL};

static const Option common_options[] = {
    {"help", 'h', OPT_FLAG, offsetof(CommonOptions, help), .help = "print this help"},
    {"json", 'j', OPT_FLAG, offsetof(CommonOptions, json), .help = "print the result as one JSON document"},
    {"quiet", 'q', OPT_FLAG, offsetof(CommonOptions, quiet), .help = "no progress, no notes: only errors"},
    {"threads", 't', OPT_INTEGER, offsetof(CommonOptions, threads), .value = "N", .standard = "1", .low = 1, .high = 64,
     .help = "threads to compute with"},
    {"color", 0, OPT_CHOICE, offsetof(CommonOptions, colour), .value = "auto|always|never", .standard = "auto",
     .choices = colour_choices, .help = "colours on the terminal"},
    {"ascii", 0, OPT_FLAG, offsetof(CommonOptions, ascii), .help = "no characters beyond ASCII"},
    OPTIONS_END,
};

bool command_threads(Command *command, Threads **threads)
{
    *threads = command->common.threads > 1 ? threads_new(command->arena, (int)command->common.threads, command->err) : NULL;
    return *threads || command->common.threads <= 1;
}

void command_note(Command *command, const char *format, ...)
{
    va_list arguments;
    if (command->common.quiet)
        return;
    va_start(arguments, format);
    fprintf(command->messages.stream, "%s\n", arena_vprintf(command->arena, format, arguments));
    va_end(arguments);
}

const CommandRow *command_find(const char *name, Error *err)
{
    const char *names[sizeof command_table / sizeof *command_table];
    for (int i = 0; i < command_count; i++) {
        names[i] = command_table[i]->name;
        if (!strcmp(names[i], name))
            return command_table[i];
    }
    error_add(err, "there is no command `%s`", name);
    const char *nearest = text_nearest(name, names, command_count);
    if (nearest)
        error_hint(err, "did you mean `%s`?", nearest);
    else
        error_hint(err, "gradtool --help lists them");
    return NULL;
}

void command_add_help(Text *text, const CommandRow *row)
{
    text_add(text, "usage: ");
    options_add_usage(text, arena_printf(text->arena, "gradtool %s", row->name), row->options);
    text_printf(text, "\n\n%s\n\n", row->help);
    options_add_help(text, row->options);
    text_add(text, "\nCommon options:\n");
    options_add_help(text, common_options);
    text_printf(text, "\nExample:\n  %s\n", row->example);
}

int command_run(Command *command, const CommandRow *row, int count, char *const words[])
{
    void *args = arena_alloc(command->arena, row->args_size);
    const OptionSet sets[] = {{row->options, args}, {common_options, &command->common}};
    const char *name = arena_printf(command->arena, "gradtool %s", row->name);
    bool fine = options_parse(command->arena, name, sets, 2, count, words, command->err);
    command->out = terminal_of(stdout, (ColourWhen)command->common.colour, command->common.ascii);
    command->messages = terminal_of(stderr, (ColourWhen)command->common.colour, command->common.ascii);
    if (command->common.help) { /* whatever else was typed */
        Text text = text_new(command->arena);
        command_add_help(&text, row);
        fputs(text.at, stdout);
        command->err = error_new(command->arena);
        return EXIT_HEALTHY;
    }
    return fine ? row->run(command, args) : EXIT_FAILED;
}
