/* The command line as tables: one row is one option, and from it come the reading, every error and the help. */
#ifndef GRADTOOL_CLI_OPTIONS_H
#define GRADTOOL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

typedef enum OptionType {
    OPT_ARGUMENT, /* const char *: an operand, in the order of the rows */
    OPT_OPTIONAL, /* the same, but it may be left out */
    OPT_FLAG,     /* bool */
    OPT_STRING,   /* const char * */
    OPT_INTEGER,  /* int64_t */
    OPT_NUMBER,   /* double */
    OPT_CHOICE,   /* int: the index into `choices` */
    OPT_LIST      /* StringList: the option may be given again and again. With a name that ends in "...": all further operands,
                     which then may begin with a minus */
} OptionType;

typedef struct StringList {
    const char **at;
    int *word; /* of the command line that each came with, by which values of several options can be put in order */
    int count, capacity;
} StringList;

typedef struct Option {
    const char *name; /* without dashes; of an operand as it is shown: "CONFIG" */
    char letter;      /* 0: none */
    OptionType type;
    size_t offset;              /* in the struct that is filled */
    const char *value;          /* what the help calls the value: "DIR" */
    const char *standard;       /* the default, as it would be typed; NULL: the member stays zero */
    double low, high;           /* limits of numbers */
    const char *const *choices; /* NULL-terminated */
    const char *help;           /* one line */
} Option;

#define OPTIONS_END                                                                                                            \
    {                                                                                                                          \
        .name = NULL                                                                                                           \
    }

/* One table and the struct it fills. */
typedef struct OptionSet {
    const Option *options;
    void *into;
} OptionSet;

/* Reads the words after the command's name through all sets together. Options may follow operands, `--` ends them, a value
 * is the next word or follows `=`; letters may be joined. An unknown option comes with the nearest known one. All mistakes
 * are reported, not just the first. */
bool options_parse(Arena *arena, const char *command, const OptionSet sets[], int set_count, int count, char *const words[],
                   Error *err);

/* "gradtool train CONFIG [options]" */
void options_add_usage(Text *text, const char *command, const Option *options);
/* A line for each row. */
void options_add_help(Text *text, const Option *options);

#endif
