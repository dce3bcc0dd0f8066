#include "cli/check_output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { SUMMARY_LIMIT = 1024 * 1024 };

static CheckOutput *add(Arena *arena, CheckOutputs *outputs, const CheckFormat *format)
{
    if (outputs->count == outputs->capacity) {
        int larger = outputs->capacity ? 2 * outputs->capacity : 8;
        outputs->at = arena_grow(arena, outputs->at, sizeof *outputs->at * (size_t)outputs->capacity,
                                 sizeof *outputs->at * (size_t)larger);
        outputs->capacity = larger;
    }
    outputs->at[outputs->count] = (CheckOutput){.format = format};
    return &outputs->at[outputs->count++];
}

static bool add_formats(Arena *arena, const char *list, CheckOutputs *outputs, Error *err)
{
    bool fine = true;
    do {
        size_t length = strcspn(list, ",");
        const CheckFormat *format = check_format_find(arena_strndup(arena, list, length), err);
        if (format)
            add(arena, outputs, format);
        fine = fine && format;
        list += length;
    } while (*list++ == ',');
    return fine;
}

static bool set_file(CheckOutput *output, const char *file, Error *err)
{
    if (output->file) {
        error_add(err, "-o %s: the report as %s goes to %s already", file, output->format->name, output->file);
        return error_hint(err, "write the format before its file: --format sarif -o g.sarif --format junit -o g.xml");
    }
    output->file = file;
    return true;
}

static bool check_standard_output(const CheckOutputs *outputs, Error *err)
{
    const CheckFormat *document = NULL, *other = NULL;
    for (int i = 0; i < outputs->count; i++) {
        const CheckOutput *output = &outputs->at[i];
        if (output->file && strcmp(output->file, "-") != 0)
            continue;
        if (output->format->is_document && !document)
            document = output->format;
        else
            other = output->format;
    }
    if (!document || !other)
        return true;
    error_add(err, "the formats %s and %s cannot share standard output", document->name, other->name);
    return error_hint(err, "send one to a file: --format %s -o FILE", document->name);
}

bool check_outputs_read(Arena *arena, const StringList *formats, const StringList *files, bool json, CheckOutputs *outputs,
                        Error *err)
{
    bool fine = true;
    const char *early = NULL; /* a file that was named before any format */
    *outputs = (CheckOutputs){0};
    if (json)
        fine = add_formats(arena, "json", outputs, err);
    int first = outputs->count;
    for (int f = 0, o = 0; f < formats->count || o < files->count;) {
        bool is_format = o == files->count || (f < formats->count && formats->word[f] < files->word[o]);
        if (is_format) {
            fine = add_formats(arena, formats->at[f++], outputs, err) && fine;
            if (early && outputs->count > first)
                fine = set_file(&outputs->at[first], early, err) && fine;
            early = NULL;
        } else if (outputs->count > first) {
            fine = set_file(&outputs->at[outputs->count - 1], files->at[o++], err) && fine;
        } else if (early) {
            fine = error_add(err, "-o %s: %s is named for the same format", files->at[o++], early);
        } else {
            early = files->at[o++];
        }
    }
    if (!outputs->count)
        add(arena, outputs, check_format_find("text", err));
    if (early)
        fine = set_file(&outputs->at[0], early, err) && fine;
    return fine && check_standard_output(outputs, err);
}

/* At most `room` bytes, whole lines. */
static void cut(Text *text, size_t room)
{
    static const char note[] = "\n(cut here: GitHub shows 1 MiB of a step's summary)\n";
    if (text->length <= room)
        return;
    size_t length = room > sizeof note ? room - sizeof note : 0;
    while (length > 0 && text->at[length - 1] != '\n')
        length--;
    text->at[text->length = length] = 0;
    if (length)
        text_add(text, note);
}

static bool append_summary(const CheckReport *report, Error *err)
{
    const char *path = getenv("GITHUB_STEP_SUMMARY");
    if (!path || !*path)
        return true;
    Text text = text_new(report->arena);
    check_format_find("markdown", err)->write(report, &text);
    struct stat status;
    size_t used = stat(path, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0;
    cut(&text, used < SUMMARY_LIMIT ? SUMMARY_LIMIT - used : 0);
    FILE *file = fopen(path, "a");
    bool written = file && fwrite(text.at, 1, text.length, file) == text.length;
    if (file && fclose(file) != 0)
        written = false;
    return written || error_add(err, "cannot append to GITHUB_STEP_SUMMARY, %s: %s", path, strerror(errno));
}

static bool is_file(const CheckOutput *output)
{
    return output->file && strcmp(output->file, "-") != 0;
}

static bool write_one(const CheckReport *report, const CheckOutput *output, Error *err)
{
    CheckReport copy = *report;
    Text text = text_new(report->arena);
    if (is_file(output))
        copy.terminal.has_colour = false;
    output->format->write(&copy, &text);
    if (!is_file(output)) {
        fwrite(text.at, 1, text.length, report->terminal.stream);
        return true; /* main() looks whether it arrived */
    }
    return file_write(output->file, text.at, text.length, err);
}

bool check_outputs_write(const CheckReport *report, const CheckOutputs *outputs, Error *err)
{
    bool fine = true, has_github = false;
    for (int to_file = 1; to_file >= 0; to_file--)
        for (int i = 0; i < outputs->count; i++) {
            has_github = has_github || !strcmp(outputs->at[i].format->name, "github");
            if (is_file(&outputs->at[i]) == (to_file != 0))
                fine = write_one(report, &outputs->at[i], err) && fine;
        }
    return (!has_github || append_summary(report, err)) && fine;
}
