/* Text in columns, each as wide as its widest cell. */
#ifndef GRADTOOL_CLI_TABLE_H
#define GRADTOOL_CLI_TABLE_H

#include "base/arena.h"
#include "base/text.h"

enum { TABLE_COLUMNS = 12 };

typedef struct TableCell {
    const char *text;
    const char *before, *after; /* escape sequences around it, which take no width; NULL for none */
} TableCell;

typedef struct Table {
    Arena *arena;
    const char *align; /* 'l' or 'r' for each column */
    int columns;
    TableCell *cell;
    int count, capacity;
} Table;

Table table_new(Arena *arena, const char *align);
/* The next cell, row by row. The text is borrowed. */
void table_add(Table *table, const char *cell);
void table_printf(Table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Colours the last cell: terminal_red(...) and terminal_plain(...), or the like. */
void table_paint(Table *table, const char *before, const char *after);
/* A figure of three digits. */
void table_figure(Table *table, double value);
/* Columns are two blanks apart, lines have no blanks at their end. */
void table_write(const Table *table, Text *text);

#endif
