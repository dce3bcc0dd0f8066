/* The only main(): finds the command, runs it, prints what went wrong, and makes sure that the result was written. */
#include <cblas.h>
#include <cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/command.h"
#include "cli/machine.h"
#include "tensor/variant.h"

/* A file that is opened must not become standard output because that was closed: writing to what is here fails instead. */
static void reserve_standard_streams(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", descriptor == 2 ? O_WRONLY : O_RDONLY) < 0)
            return;
}

static int print_overview(Command *command)
{
    Text text = text_new(command->arena);
    text_add(&text, "usage: gradtool COMMAND [options]\n\n"
                    "Trains small neural networks and shows where their gradients go.\n\n");
    for (int i = 0; i < command_count; i++)
        text_printf(&text, "  %-10s%s\n", command_table[i]->name, command_table[i]->help);
    text_add(&text,
             "\ngradtool COMMAND --help, or gradtool help COMMAND, says more; gradtool --version [--verbose] what this is.\n"
             "\nExamples:\n");
    for (int i = 0; i < 2 && i < command_count; i++)
        text_printf(&text, "  %s\n", command_table[i]->example);
    fputs(text.at, stdout);
    return EXIT_HEALTHY;
}

static int print_command_help(Command *command, const char *name)
{
    const CommandRow *row = command_find(name, command->err);
    if (!row)
        return EXIT_FAILED;
    Text text = text_new(command->arena);
    command_add_help(&text, row);
    fputs(text.at, stdout);
    return EXIT_HEALTHY;
}

/* Half the speed of a matrix product is lost unnoticed. */
static void warn_of_slow_kernel(Arena *arena)
{
    const char *warning = machine_blas_warning(arena);
    if (warning)
        fprintf(stderr, "warning: %s\n", warning);
}

static int print_version(Arena *arena, bool verbose)
{
    printf("gradtool %s\n", GRADTOOL_VERSION);
    if (!verbose)
        return EXIT_HEALTHY;
    printf("kernels   %s\n", variant_name(variant_best()));
    printf("openblas  %s\n", openblas_get_config());
    printf("cjson     %s\n", cJSON_Version());
    printf("libpng    %s\n", png_get_libpng_ver(NULL));
    printf("zlib      %s\n", zlibVersion());
    warn_of_slow_kernel(arena);
    return EXIT_HEALTHY;
}

typedef struct ProgramOptions {
    bool help, version, verbose;
} ProgramOptions;

static const Option program_options[] = {
    {"help", 'h', OPT_FLAG, offsetof(ProgramOptions, help), .help = "print this help"},
    {"version", 'V', OPT_FLAG, offsetof(ProgramOptions, version), .help = "print the version"},
    {"verbose", 'v', OPT_FLAG, offsetof(ProgramOptions, verbose), .help = "with --version: the libraries, too"},
    OPTIONS_END,
};

static int dispatch(Command *command, int count, char *const words[])
{
    if (count == 0)
        return print_overview(command);
    if (!strcmp(words[0], "help"))
        return count > 1 ? print_command_help(command, words[1]) : print_overview(command);
    if (words[0][0] != '-') {
        const CommandRow *row = command_find(words[0], command->err);
        return row ? command_run(command, row, count - 1, words + 1) : EXIT_FAILED;
    }
    ProgramOptions options = {0};
    const OptionSet set = {program_options, &options};
    if (!options_parse(command->arena, "gradtool", &set, 1, count, words, command->err))
        return EXIT_FAILED;
    return options.version || options.verbose ? print_version(command->arena, options.verbose) : print_overview(command);
}

/* The result counts only when it has arrived: a full disk shows in the last flush. */
static int finish(int status)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return status;
    fprintf(stderr, "error: cannot write standard output%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
    return EXIT_FAILED;
}

int main(int argc, char *argv[])
{
    reserve_standard_streams();
    setlocale(LC_CTYPE, ""); /* only this category: numbers keep their point */
    openblas_set_num_threads(1);
    OutOfMemory out_of_memory = {.bytes = 0};
    Arena *arena = arena_new(NULL);
    arena_on_out_of_memory(arena, &out_of_memory);
    if (setjmp(out_of_memory.unwind)) {
        fprintf(stderr, "error: out of memory: %zu bytes cannot be had\n", out_of_memory.bytes);
        arena_free(arena);
        return EXIT_FAILED;
    }
    Command command = {.arena = arena, .err = error_new(arena)};
    int status = dispatch(&command, argc - 1, argv + 1);
    if (error_count(command.err)) {
        fflush(stdout);
        Terminal messages = terminal_of(stderr, (ColourWhen)command.common.colour, command.common.ascii);
        error_print(command.err, stderr, messages.has_colour);
    }
    arena_free(arena);
    return finish(status);
}
