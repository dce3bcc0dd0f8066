#include "cli/gradcheck_report.h"

#include "cli/array_text.h"
#include "cli/document.h"
#include "cli/table.h"

void gradcheck_report_add(GradcheckReport *r, const GradcheckRow *rows, int orders, int stride, const char *shape)
{
    if (r->lines == r->capacity) {
        int larger = r->capacity ? 2 * r->capacity : 64;
        r->line = arena_grow(r->cmd->arena, r->line, sizeof *r->line * (size_t)r->lines, sizeof *r->line * (size_t)larger);
        r->capacity = larger;
    }
    GradcheckLine *line = &r->line[r->lines++];
    *line =
        (GradcheckLine){.name = rows->name, .shape = shape ? shape : shape_text(r->cmd->arena, rows->shape), .orders = orders};
    for (int k = 0; k < orders; k++)
        line->row[k] = rows[k * stride];
}

size_t gradcheck_report_checked(const GradcheckReport *r)
{
    size_t checked = 0;
    for (int i = 0; i < r->lines; i++)
        for (int k = 0; k < r->line[i].orders; k++)
            checked += r->line[i].row[k].comparison.checked;
    return checked;
}

/* The first order that is out of tolerance, NULL for none. */
static const GradcheckRow *failure_of(const GradcheckLine *line)
{
    for (int k = 0; k < line->orders; k++)
        if (line->row[k].comparison.failed)
            return &line->row[k];
    return NULL;
}

static bool has_checked(const GradcheckLine *line)
{
    for (int k = 0; k < line->orders; k++)
        if (line->row[k].comparison.checked)
            return true;
    return false;
}

int gradcheck_report_failed(const GradcheckReport *r)
{
    int failed = 0;
    for (int i = 0; i < r->lines; i++)
        failed += failure_of(&r->line[i]) != NULL;
    return failed;
}

/* ---- text ---- */

static void add_error(Table *table, size_t checked, double error)
{
    if (!checked)
        table_add(table, "-");
    else
        table_printf(table, "%.1e", error);
}

static void add_verdict(const GradcheckReport *r, Table *table, const GradcheckLine *line)
{
    const Terminal *out = &r->cmd->out;
    const GradcheckRow *failed = failure_of(line);
    char analytic[FIGURE_SIZE], numeric[FIGURE_SIZE];
    size_t kinks = 0;
    for (int k = 0; k < line->orders; k++)
        kinks += line->row[k].comparison.kinks;
    Text text = text_new(r->cmd->arena);
    if (failed)
        text_printf(&text, "%s%s%s  order %d, %s: analytic %s, numeric %s", terminal_red(out), out->is_ascii ? "FAIL" : "✖",
                    terminal_plain(out), failed->order, failed->worst, array_number(analytic, failed->comparison.analytic),
                    array_number(numeric, failed->comparison.numeric));
    else if (has_checked(line))
        text_printf(&text, "%s%s%s", terminal_green(out), out->is_ascii ? "ok" : "✔", terminal_plain(out));
    else
        text_add(&text, "not checked");
    if (kinks)
        text_printf(&text, "  (%zu at a kink)", kinks);
    table_add(table, text.at);
}

void gradcheck_report_print_text(const GradcheckReport *r)
{
    bool second = r->lines && r->line[0].orders > 1;
    Table table = table_new(r->cmd->arena, second ? "llrrrrl" : "llrrl");
    table_add(&table, "");
    table_add(&table, "shape");
    for (int k = 0; k < (second ? 2 : 1); k++) {
        table_add(&table, k ? "2nd: max abs err" : "max abs err");
        table_add(&table, "max rel err");
    }
    table_add(&table, "");
    int failed = gradcheck_report_failed(r), unchecked = 0;
    for (int i = 0; i < r->lines; i++) {
        const GradcheckLine *line = &r->line[i];
        table_add(&table, line->name);
        table_add(&table, line->shape);
        for (int k = 0; k < line->orders; k++) {
            const Comparison *c = &line->row[k].comparison;
            add_error(&table, c->checked, c->max_abs_error);
            add_error(&table, c->checked, c->max_rel_error);
        }
        add_verdict(r, &table, line);
        unchecked += !has_checked(line);
    }
    Text text = text_new(r->cmd->arena);
    table_write(&table, &text);
    text_printf(&text, "%d ok, %d failed", r->lines - failed - unchecked, failed);
    if (unchecked)
        text_printf(&text, ", %d not checked", unchecked);
    text_add_char(&text, '\n');
    fputs(text.at, r->cmd->out.stream);
}

/* ---- JSON ---- */

static void add_bool(Arena *arena, Json *object, const char *key, bool value)
{
    document_add(arena, object, key, JSON_BOOL)->number = value;
}

static Json *row_document(Arena *arena, const GradcheckLine *line, const GradcheckRow *row)
{
    const Comparison *c = &row->comparison;
    Json *object = json_new(arena, JSON_OBJECT);
    document_add_string(arena, object, "name", line->name);
    document_add_string(arena, object, "shape", line->shape);
    document_add_number(arena, object, "order", row->order);
    document_add_number(arena, object, "max_abs_error", c->max_abs_error);
    document_add_number(arena, object, "max_rel_error", c->max_rel_error);
    add_bool(arena, object, "passed", !c->failed);
    document_add_number(arena, object, "checked", (double)c->checked);
    document_add_number(arena, object, "kinks", (double)c->kinks);
    if (c->checked) {
        Json *worst = document_add(arena, object, "worst", JSON_OBJECT);
        document_add_string(arena, worst, "element", row->worst);
        document_add_number(arena, worst, "analytic", c->analytic);
        document_add_number(arena, worst, "numeric", c->numeric);
    }
    return object;
}

void gradcheck_report_print_document(const GradcheckReport *r)
{
    Arena *arena = r->cmd->arena;
    Json *document = json_new(arena, JSON_OBJECT);
    add_bool(arena, document, "passed", !gradcheck_report_failed(r));
    Json *checks = document_add(arena, document, "checks", JSON_ARRAY);
    for (int i = 0; i < r->lines; i++)
        for (int k = 0; k < r->line[i].orders; k++)
            json_add_item(checks, row_document(arena, &r->line[i], &r->line[i].row[k]));
    document_print(arena, document, r->cmd->out.stream);
}
