/* What `gradtool gradcheck` found, as a table or as JSON. */
#ifndef GRADTOOL_CLI_GRADCHECK_REPORT_H
#define GRADTOOL_CLI_GRADCHECK_REPORT_H

#include "autograd/gradcheck.h"
#include "cli/command.h"

/* One subject: an operator's example, a variable, a parameter. */
typedef struct GradcheckLine {
    const char *name, *shape;
    GradcheckRow row[GRADCHECK_ORDERS];
    int orders;
} GradcheckLine;

typedef struct GradcheckReport {
    Command *cmd;
    GradcheckLine *line;
    int lines, capacity;
} GradcheckReport;

/* The rows of the orders stand `stride` apart. `shape` NULL: that of the row. */
void gradcheck_report_add(GradcheckReport *report, const GradcheckRow *rows, int orders, int stride, const char *shape);
/* Comparisons made, and lines in which one was out of tolerance. */
size_t gradcheck_report_checked(const GradcheckReport *report);
int gradcheck_report_failed(const GradcheckReport *report);

void gradcheck_report_print_text(const GradcheckReport *report);
void gradcheck_report_print_document(const GradcheckReport *report);

#endif
