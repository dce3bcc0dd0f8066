/* The language of `gradtool grad`, of hooks, of function layers and of {"expr"} losses.
 *
 * Numbers, names, [1, 2] arrays, + - * / ^ @, comparisons, and the functions of functions.def. ^ groups from the right and
 * binds tighter than a minus before it (-x^2 is -(x^2)); its exponent may have a sign. Text is parsed once, without recursion,
 * into postfix order; building walks that order, so no nesting is too deep. Every error points at its column. */
#ifndef GRADTOOL_AUTOGRAD_EXPRESSION_H
#define GRADTOOL_AUTOGRAD_EXPRESSION_H

#include <stdbool.h>

#include "autograd/graph.h"
#include "base/error.h"
#include "base/json.h"

typedef struct Expression Expression;

typedef struct UserFunction UserFunction;

/* `value` is a JSON string: errors point into it. For text from elsewhere see expression_text. `functions` are those that
 * the user defined before, or NULL. */
Expression *expression_parse(Arena *arena, const Json *value, const UserFunction *functions, Error *err);
/* Such a string for a text that is not from a JSON file; `name` is what messages call it ("expression"). */
const Json *expression_text(Arena *arena, const char *name, const char *text);

/* The names that the expression uses, in the order of their first use, and where each first stands. */
int expression_names(const Expression *expression, const char *const **names);
/* Adds an error at the first use of a name; false. `known` are the names that could be meant. */
bool expression_unknown_name(const Expression *expression, const char *name, const char *const known[], int count, Error *err);

/* A function that the user defined: the call is replaced by its body. */
struct UserFunction {
    const char *name;
    const char *const *parameters;
    int parameter_count;
    const Expression *body;
    const Expression *derivative; /* with one parameter: its gradient, in the parameter, y and grad; NULL: that of the body */
    const UserFunction *next;
};

/* Parses "huber(x) = where(abs(x) < 1, x^2/2, abs(x) - 1/2)", and a derivative after a second `=`. NULL with an error. */
const UserFunction *expression_define(Arena *arena, const Json *definition, const UserFunction *before, Error *err);

/* What the names stand for. */
typedef struct Scope {
    const char *const *names;
    Node *const *nodes;
    int count;
} Scope;

/* Appends the expression's nodes to the graph of scope->nodes (or `graph`). NULL with an error at the operator whose shapes do
 * not fit. */
Node *expression_build(const Expression *expression, Graph *graph, const Scope *scope, Error *err);

/* A node with the value of `value` whose gradient with respect to x is what `gradient` says, in x (under the name x_name), the
 * value y and the incoming grad; none flows into `value`. */
Node *expression_custom(Node *value, Node *x, const char *x_name, const Expression *gradient);

/* The words there are: for `gradtool list functions`. */
int expression_function_count(void);
const char *expression_function_row(int index, const char **help);

#endif
