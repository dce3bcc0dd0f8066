#include "cli/table.h"

#include <string.h>

#include "cli/figures.h"

enum { GAP = 2 };

Table table_new(Arena *arena, const char *align)
{
    return (Table){.arena = arena, .align = align, .columns = (int)strlen(align)};
}

void table_add(Table *table, const char *cell)
{
    if (table->count == table->capacity) {
        int larger = table->capacity ? 2 * table->capacity : 64;
        table->cell = arena_grow(table->arena, table->cell, sizeof *table->cell * (size_t)table->capacity,
                                 sizeof *table->cell * (size_t)larger);
        table->capacity = larger;
    }
    table->cell[table->count++] = (TableCell){.text = cell};
}

void table_paint(Table *table, const char *before, const char *after)
{
    table->cell[table->count - 1].before = before;
    table->cell[table->count - 1].after = after;
}

void table_printf(Table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    table_add(table, arena_vprintf(table->arena, format, arguments));
    va_end(arguments);
}

void table_figure(Table *table, double value)
{
    char text[FIGURE_SIZE];
    table_add(table, arena_strdup(table->arena, figure(text, value, 3)));
}

static void add_blanks(Text *text, int count)
{
    for (int i = 0; i < count; i++)
        text_add_char(text, ' ');
}

void table_write(const Table *table, Text *text)
{
    int width[TABLE_COLUMNS] = {0};
    for (int i = 0; i < table->count; i++) {
        int columns = text_width(table->cell[i].text), *widest = &width[i % table->columns];
        *widest = columns > *widest ? columns : *widest;
    }
    for (int first = 0; first < table->count; first += table->columns) {
        int blanks = 0;
        for (int c = 0; c < table->columns && first + c < table->count; c++) {
            const TableCell *cell = &table->cell[first + c];
            int spare = width[c] - text_width(cell->text), before = table->align[c] == 'r' ? spare : 0;
            blanks += before;
            if (*cell->text) {
                add_blanks(text, blanks);
                text_add(text, cell->before ? cell->before : "");
                text_add(text, cell->text);
                text_add(text, cell->after ? cell->after : "");
                blanks = 0;
            }
            blanks += spare - before + GAP;
        }
        text_add_char(text, '\n');
    }
}
