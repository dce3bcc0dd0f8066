/* cli/cmd_plot.c: the pictures of a run. */
#include <string.h>

#include "cli/command.h"
#include "cli/document.h"
#include "render/plot.h"

typedef struct Args {
    const char *run, *only, *format, *out;
} Args;

static const Option options[] = {
    {"RUN", 0, OPT_ARGUMENT, offsetof(Args, run), .help = "the folder of a run"},
    {"only", 0, OPT_STRING, offsetof(Args, only), .value = "NAME",
     .help = "one picture: loss, histogram_fc1.weight, ... (gradtool list plots)"},
    {"format", 'f', OPT_STRING, offsetof(Args, format), .value = "png,svg", .standard = "png", .help = "one format or both"},
    {"out", 'o', OPT_STRING, offsetof(Args, out), .value = "DIR", .help = "the folder to draw into (default RUN/plots)"},
    OPTIONS_END,
};

static bool read_formats(Arena *arena, const char *list, PlotOptions *into, Error *err)
{
    static const char *const formats[] = {"png", "svg"};
    bool fine = true;
    for (const char *at = list; fine;) {
        size_t length = strcspn(at, ",");
        const char *name = arena_strndup(arena, at, length);
        if (!strcmp(name, "png"))
            into->png = true;
        else if (!strcmp(name, "svg"))
            into->svg = true;
        else {
            fine = error_add(err, "--format cannot be `%s`: it is png, svg or png,svg", name);
            error_suggest(err, name, formats, 2);
        }
        if (!at[length])
            break;
        at += length + 1;
    }
    return fine;
}

static void print_document(Command *cmd, const PlotResult *result)
{
    Json *document = json_new(cmd->arena, JSON_OBJECT);
    Json *files = document_add(cmd->arena, document, "files", JSON_ARRAY);
    for (int i = 0; i < result->file_count; i++)
        json_add_item(files, json_new_string(cmd->arena, result->files[i]));
    Json *notes = document_add(cmd->arena, document, "notes", JSON_ARRAY);
    for (int i = 0; i < result->note_count; i++)
        json_add_item(notes, json_new_string(cmd->arena, result->notes[i]));
    document_print(cmd->arena, document, cmd->out.stream);
}

static int plot(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    PlotOptions wanted = {.only = args->only, .folder = args->out};
    PlotResult result;
    if (!read_formats(cmd->arena, args->format, &wanted, cmd->err) ||
        !plot_run(args->run, &wanted, &result, cmd->arena, cmd->err))
        return EXIT_FAILED;
    if (cmd->common.json) {
        print_document(cmd, &result);
        return EXIT_HEALTHY;
    }
    for (int i = 0; i < result.file_count && !cmd->common.quiet; i++)
        fprintf(cmd->out.stream, "%s\n", result.files[i]);
    for (int i = 0; i < result.note_count; i++)
        command_note(cmd, "note: %s", result.notes[i]);
    return EXIT_HEALTHY;
}

const CommandRow cmd_plot = {
    .name = "plot",
    .help = "draw a run: loss, gradient flow, heatmaps, histograms as PNG or SVG",
    .options = options,
    .args_size = sizeof(Args),
    .run = plot,
    .example = "gradtool plot runs/spiral-001 --only gradient_flow --format svg",
};
