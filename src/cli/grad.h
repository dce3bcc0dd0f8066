/* What the files of `gradtool grad` share: the variables and definitions so far, what is asked of every expression, and what
 * came of each. */
#ifndef GRADTOOL_CLI_GRAD_H
#define GRADTOOL_CLI_GRAD_H

#include "autograd/differentiate.h"
#include "cli/command.h"

typedef struct GradSession {
    Command *cmd;
    DifferentiateJob job; /* what is asked; its variables are the table below */
    Variable *variable;
    int variables, capacity;
    const UserFunction *functions;
    bool accumulates;
    const char *graph; /* a file, "-" for a tree in the text, NULL for none */
} GradSession;

typedef struct GradResult {
    const char *text;
    const Expression *expression;
    const Derivatives *derivatives;
    Array **total;  /* the gradients added up so far, by variable, NULL elements where none arrived; NULL: not asked for */
    const char *by; /* "d(x^2, x)": only the derivative of the highest order by this variable is shown */
} GradResult;

/* Gives a variable its value, new or again. */
void grad_set_variable(GradSession *session, const char *name, Array value);
/* A value as it is typed: JSON, or an expression in the variables that are known. */
bool grad_read_value(GradSession *session, const char *name, const char *text, bool may_use_variables, Array *into, Error *err);
/* The job for one expression. */
DifferentiateJob grad_job(const GradSession *session, const Expression *expression);
/* The length of NAME in "NAME=..." and where the value begins; false for anything else ("x == 2" too). */
bool grad_is_assignment(const char *text, size_t *length, const char **value);

void grad_print_text(const GradSession *session, const GradResult results[], int count);
void grad_print_document(const GradSession *session, const GradResult results[], int count);
/* One result; with its expression unless it is alone. */
Json *grad_result_document(const GradSession *session, const GradResult *result, bool is_alone);

/* The backward graph as a tree appended to a text, or as a file that ends in .dot or .svg. */
bool grad_add_tree(const GradSession *session, const GradResult *result, Text *text, Error *err);
bool grad_write_graph(const GradSession *session, const GradResult *result, const char *path, Error *err);

/* Lines from the terminal or from a pipe. Returns the exit status. */
int grad_repl(GradSession *session);

#endif
