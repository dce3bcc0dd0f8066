/* Where the forms of a report go: standard output, files, and the step summary of GitHub Actions. */
#ifndef GRADTOOL_CLI_CHECK_OUTPUT_H
#define GRADTOOL_CLI_CHECK_OUTPUT_H

#include "cli/check_report.h"
#include "cli/options.h"

typedef struct CheckOutput {
    const CheckFormat *format;
    const char *file; /* NULL: standard output */
} CheckOutput;

typedef struct CheckOutputs {
    CheckOutput *at;
    int count, capacity;
} CheckOutputs;

/* --format takes lists with commas and may be repeated; -o belongs to the format before it (the last of a list), one that
 * stands before all formats to the first. Without --format: text, or json with --json. On standard output a document stands
 * alone. */
bool check_outputs_read(Arena *arena, const StringList *formats, const StringList *files, bool json, CheckOutputs *outputs,
                        Error *err);

/* Writes each, files whole or not at all, standard output last. With the format github, and GITHUB_STEP_SUMMARY set, the
 * summary is appended to that file. */
bool check_outputs_write(const CheckReport *report, const CheckOutputs *outputs, Error *err);

#endif
