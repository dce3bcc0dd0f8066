/* What a command is: its words, its options, and what it does. One file cmd_<name>.c and one line in commands.def each. */
#ifndef GRADTOOL_CLI_COMMAND_H
#define GRADTOOL_CLI_COMMAND_H

#include "base/arena.h"
#include "base/error.h"
#include "base/threads.h"
#include "cli/options.h"
#include "cli/terminal.h"

/* Exit status. A command that a signal stopped ends with 128 + its number. */
enum { EXIT_HEALTHY = 0, EXIT_FINDINGS = 1, EXIT_FAILED = 2, EXIT_BY_SIGNAL = 128 };

/* Options that every command takes. */
typedef struct CommonOptions {
    bool help, json, quiet, ascii;
    int64_t threads;
    int colour; /* ColourWhen */
} CommonOptions;

typedef struct Command {
    Arena *arena;
    Error *err; /* main() prints it */
    CommonOptions common;
    Terminal out;      /* standard output: the result */
    Terminal messages; /* standard error: progress and notes */
} Command;

typedef struct CommandRow {
    const char *name;
    const char *help; /* one line */
    const Option *options;
    size_t args_size;                               /* of the struct that the options fill */
    int (*run)(Command *command, const void *args); /* returns the exit status */
    const char *example;
} CommandRow;

extern const CommandRow *const command_table[];
extern const int command_count;

/* NULL for one thread. False with an error when they cannot be had. */
bool command_threads(Command *command, Threads **threads);
/* A line on standard error, unless --quiet. */
void command_note(Command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The row of commands.def called so, or NULL and an error with the nearest name. */
const CommandRow *command_find(const char *name, Error *err);
/* Reads `words`, the ones after the command's name, and runs it. */
int command_run(Command *command, const CommandRow *row, int count, char *const words[]);
void command_add_help(Text *text, const CommandRow *row);

#endif
