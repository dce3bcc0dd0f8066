/* cli/cmd_doctor.c: whether this machine has what gradtool needs, a line an item. */
#include <cJSON.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include "autograd/bfloat16_product.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/machine.h"
#include "render/gnuplot.h"
#include "tensor/variant.h"

/* Below it the log of a long run with its checkpoints may not fit. */
static const double disk_least = 1e9;

/* What one check found. */
typedef struct Item {
    Command *cmd;
    const char *message, *hint; /* a hint makes it a warning */
    Json *facts;                /* its row in the document */
} Item;

static void check_version(Item *item)
{
    Arena *arena = item->cmd->arena;
#if defined __clang__
    const char *compiler = arena_printf(arena, "clang %d.%d.%d", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    const char *compiler = arena_printf(arena, "gcc %d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
    item->message = arena_printf(arena, "%s, compiled by %s", GRADTOOL_VERSION, compiler);
    document_add_string(arena, item->facts, "version", GRADTOOL_VERSION);
    document_add_string(arena, item->facts, "compiler", compiler);
}

static void check_processor(Item *item)
{
    Arena *arena = item->cmd->arena;
    const char *name = machine_processor(arena), *sets = machine_instruction_sets(arena);
    item->message = *sets ? arena_printf(arena, "%s: %s", name, sets) : name;
    document_add_string(arena, item->facts, "processor", name);
    document_add_string(arena, item->facts, "instruction_sets", sets);
}

static void check_kernels(Item *item)
{
    Variant best = variant_best();
    item->message = variant_name(best);
#if defined __x86_64__
    if (best == VARIANT_F32)
        item->hint = "the processor has no AVX2 with FMA, so a step takes several times as long";
#endif
    document_add_string(item->cmd->arena, item->facts, "kernels", variant_name(best));
}

static void check_openblas(Item *item)
{
    Arena *arena = item->cmd->arena;
    const char *forced = getenv("OPENBLAS_CORETYPE"), *slow = machine_blas_warning(arena);
    bool is_forced = forced && *forced;
    item->message = arena_printf(arena, "%s, %s kernels%s", machine_blas_version(arena), machine_blas_kernel(),
                                 is_forced ? ", as OPENBLAS_CORETYPE says" : "");
    if (slow)
        item->hint = arena_printf(arena, "%s: matrix products take about twice as long; %s", slow,
                                  is_forced ? "unset it" : "try OPENBLAS_CORETYPE=SkylakeX, or a newer OpenBLAS");
    document_add_string(arena, item->facts, "version", machine_blas_version(arena));
    document_add_string(arena, item->facts, "kernel", machine_blas_kernel());
    document_add_string(arena, item->facts, "forced", is_forced ? forced : NULL);
}

static void check_threads(Item *item)
{
    Arena *arena = item->cmd->arena;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int available = threads_available();
    const char *cores = figure_of(arena, available, "processor");
    item->message = online > available ? arena_printf(arena, "%s of the %ld that there are", cores, online) : cores;
    item->message = arena_printf(arena, "%s; one is used unless --threads says more", item->message);
    document_add_number(arena, item->facts, "available", available);
    document_add_number(arena, item->facts, "online", (double)online);
}

/* Half types are rounded bit for bit in float32 storage; the processor's own products of bfloat16 alone have other bits. */
static void check_number_formats(Item *item)
{
    Arena *arena = item->cmd->arena;
    const bool has_bf16 = bfloat16_product_is_available();
    item->message = has_bf16 ? "float32; bfloat16 with the processor's products (avx512_bf16); float16 emulated bit for bit"
                             : "float32; bfloat16 and float16 emulated bit for bit (the processor has no avx512_bf16)";
    document_add_string(arena, item->facts, "bfloat16", has_bf16 ? "avx512_bf16" : "emulated");
    document_add_string(arena, item->facts, "float16", "emulated");
    Json *has = document_add(arena, item->facts, "avx512_bf16", JSON_BOOL);
    has->number = has_bf16;
}

static void check_gnuplot(Item *item)
{
    Arena *arena = item->cmd->arena;
    Text script = text_new(arena), output = text_new(arena);
    Error *failure = error_new(arena);
    bool missing;
    text_add(&script, "set print '-'\nprint sprintf('%.1f.%s ', GPVAL_VERSION, GPVAL_PATCHLEVEL), GPVAL_TERMINALS\n");
    if (!gnuplot_run(NULL, &script, &output, &missing, failure)) {
        item->message = missing ? "not found" : error_message(failure, 0);
        item->hint = "heatmaps and the picture of number formats are drawn without it; for loss, gradient flow, histograms and "
                     "the rest install gnuplot-nox";
        document_add_string(arena, item->facts, "version", NULL);
        return;
    }
    const char *version = arena_strndup(arena, output.at, strcspn(output.at, " \n"));
    item->message = version;
    if (!strstr(output.at, "pngcairo"))
        item->hint = "it has no pngcairo, which draws PNG files: install gnuplot-nox, or draw with --format svg";
    document_add_string(arena, item->facts, "version", version);
}

static void check_libraries(Item *item)
{
    Arena *arena = item->cmd->arena;
    item->message =
        arena_printf(arena, "cJSON %s, libpng %s, zlib %s", cJSON_Version(), png_get_libpng_ver(NULL), zlibVersion());
    document_add_string(arena, item->facts, "cjson", cJSON_Version());
    document_add_string(arena, item->facts, "libpng", png_get_libpng_ver(NULL));
    document_add_string(arena, item->facts, "zlib", zlibVersion());
}

static void check_terminal(Item *item)
{
    Arena *arena = item->cmd->arena;
    const Terminal *out = &item->cmd->out;
    const char *kind = getenv("TERM");
    item->message = arena_printf(
        arena, "%s, %d columns, %s, %s", out->is_live ? kind && *kind ? kind : "TERM not set" : "output goes to a file or pipe",
        terminal_width(out), out->has_colour ? "colours" : "no colours", out->is_ascii ? "ASCII only" : "UTF-8");
    document_add_string(arena, item->facts, "term", kind);
    document_add_number(arena, item->facts, "columns", terminal_width(out));
}

/* The program leaves LC_NUMERIC alone, whatever the environment says: a comma would break JSON. */
static void check_locale(Item *item)
{
    Arena *arena = item->cmd->arena;
    const char *characters = setlocale(LC_CTYPE, NULL), *numbers = setlocale(LC_NUMERIC, NULL);
    const char *point = localeconv()->decimal_point;
    item->message =
        arena_printf(arena, "characters %s (%s), numbers %s (1%s5)", characters, nl_langinfo(CODESET), numbers, point);
    if (strcmp(point, ".") != 0)
        item->hint = "numbers are written without a decimal point, which breaks JSON: set LC_NUMERIC=C";
    document_add_string(arena, item->facts, "lc_ctype", characters);
    document_add_string(arena, item->facts, "codeset", nl_langinfo(CODESET));
    document_add_string(arena, item->facts, "lc_numeric", numbers);
}

static const char runs[] = "runs";

/* Where runs go without --out and output.dir. */
static void check_runs(Item *item)
{
    Arena *arena = item->cmd->arena;
    bool is_there = file_is_folder(runs);
    const char *folder = is_there ? runs : ".";
    bool is_writable = access(folder, W_OK | X_OK) == 0 && (is_there || !file_exists(runs));
    item->message = is_writable ? is_there ? "writable" : "will be made here" : "not writable";
    if (!is_writable)
        item->hint = file_exists(runs) && !is_there ? "`runs` is a file: train with --out DIR, or in another folder"
                                                    : "train with --out DIR, or in another folder";
    document_add_string(arena, item->facts, "folder", path_absolute(arena, runs));
}

static void check_disk(Item *item)
{
    Arena *arena = item->cmd->arena;
    struct statvfs disk;
    if (statvfs(file_is_folder(runs) ? runs : ".", &disk) != 0) {
        item->message = arena_printf(arena, "unknown: %s", strerror(errno));
        return;
    }
    double bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    item->message = arena_printf(arena, "%s free", figure_bytes(arena, bytes));
    if (bytes < disk_least)
        item->hint = "a log grows with its steps: set monitor.every, or train with --out DIR on another disk";
    document_add_number(arena, item->facts, "free", bytes);
}

static const struct {
    const char *name;
    void (*check)(Item *item);
} checks[] = {
    {"gradtool", check_version},  {"processor", check_processor},    {"kernels", check_kernels}, {"openblas", check_openblas},
    {"threads", check_threads},   {"numbers", check_number_formats}, {"gnuplot", check_gnuplot}, {"libraries", check_libraries},
    {"terminal", check_terminal}, {"locale", check_locale},          {"runs", check_runs},       {"disk", check_disk},
};
enum { CHECKS = sizeof checks / sizeof *checks };

static void print_text(Command *cmd, const Item items[], int warnings)
{
    const Terminal *out = &cmd->out;
    Text text = text_new(cmd->arena);
    const char *ok = out->is_ascii ? "ok  " : "\xe2\x9c\x94", *warn = out->is_ascii ? "warn" : "\xe2\x9a\xa0";
    for (int i = 0; i < CHECKS; i++) {
        bool warns = items[i].hint != NULL;
        text_printf(&text, "%s%s%s %-11s%s\n", warns ? terminal_yellow(out) : terminal_green(out), warns ? warn : ok,
                    terminal_plain(out), checks[i].name, items[i].message);
        if (warns)
            text_printf(&text, "%s             = help: %s\n", out->is_ascii ? "   " : "", items[i].hint);
    }
    if (warnings)
        text_printf(&text, "\n%s\n", figure_of(cmd->arena, warnings, "warning"));
    fwrite(text.at, 1, text.length, out->stream);
}

static int doctor(Command *cmd, const void *args)
{
    (void)args;
    Item items[CHECKS];
    int warnings = 0;
    Json *document = json_new(cmd->arena, JSON_OBJECT);
    Json *rows = document_add(cmd->arena, document, "items", JSON_ARRAY);
    for (int i = 0; i < CHECKS; i++) {
        items[i] = (Item){.cmd = cmd, .facts = json_new(cmd->arena, JSON_OBJECT)};
        document_add_string(cmd->arena, items[i].facts, "name", checks[i].name);
        checks[i].check(&items[i]);
        warnings += items[i].hint != NULL;
        document_add_string(cmd->arena, items[i].facts, "status", items[i].hint ? "warn" : "ok");
        document_add_string(cmd->arena, items[i].facts, "message", items[i].message);
        document_add_string(cmd->arena, items[i].facts, "hint", items[i].hint);
        json_add_item(rows, items[i].facts);
    }
    document_add_number(cmd->arena, document, "warnings", warnings);
    if (cmd->common.json)
        document_print(cmd->arena, document, cmd->out.stream);
    else
        print_text(cmd, items, warnings);
    return EXIT_HEALTHY;
}

static const Option options[] = {OPTIONS_END};

const CommandRow cmd_doctor = {
    .name = "doctor",
    .help = "what gradtool finds on this machine, and what slows it or is missing",
    .options = options,
    .args_size = 1,
    .run = doctor,
    .example = "gradtool doctor --json",
};
