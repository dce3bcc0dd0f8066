/* The language of `gradtool grad`, of hooks, of function layers and of {"expr"} losses.
 *
 * Numbers, names, [1, 2] arrays, + - * / ^ @, comparisons, and the functions of functions.def. ^ groups from the right and binds
 * tighter than a minus before it (-x^2 is -(x^2)); its exponent may have a sign. Text is parsed once, without recursion, into
 * postfix order; building walks that order, so no nesting is too deep. Every error points at its column. */
#ifndef GRADTOOL_AUTOGRAD_EXPRESSION_H
#define GRADTOOL_AUTOGRAD_EXPRESSION_H

#include <stdbool.h>

#include "autograd/graph.h"
#include "base/error.h"
#include "base/json.h"

typedef struct Expression Expression;

/* `value` is a JSON string: errors point into it. For text from elsewhere see expression_text. */
Expression *expression_parse(Arena *arena, const Json *value, Error *err);
/* Such a string for a text that is not from a JSON file; `name` is what messages call it ("expression"). */
const Json *expression_text(Arena *arena, const char *name, const char *text);

/* The names that the expression uses, in the order of their first use, and where each first stands. */
int expression_names(const Expression *expression, const char *const **names);
/* Adds an error at the first use of a name; false. `known` are the names that could be meant. */
bool expression_unknown_name(const Expression *expression, const char *name, const char *const known[], int count, Error *err);

/* A function that the user defined: the call is replaced by its body. */
typedef struct UserFunction {
    const char *name;
    const char *const *parameters;
    int parameter_count;
    const Expression *body;
    const Expression *derivative; /* of one parameter, in it, y and grad; NULL: that of the body */
    const struct UserFunction *next;
} UserFunction;

/* What the names stand for. */
typedef struct Scope {
    const char *const *names;
    Node *const *nodes;
    int count;
    const UserFunction *functions;
} Scope;

/* Appends the expression's nodes to the graph of scope->nodes (or `graph`). NULL with an error at the operator whose shapes do not fit. */
Node *expression_build(const Expression *expression, Graph *graph, const Scope *scope, Error *err);

/* The words there are: for `gradtool list functions`. */
int expression_function_count(void);
const char *expression_function_row(int index, const char **help);

#endif
