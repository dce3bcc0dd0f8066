/* What expression.c (building) and expression_parse.c share. */
#ifndef GRADTOOL_AUTOGRAD_EXPRESSION_INTERNAL_H
#define GRADTOOL_AUTOGRAD_EXPRESSION_INTERNAL_H

#include "autograd/expression.h"

typedef struct Function {
    const char *name, *help;
    int least, most; /* arguments */
    Node *(*build)(Node *const x[], int n);
} Function;

extern const Function function_table[];
extern const int function_count;

typedef enum ExpressionOperator {
    OPERATOR_LESS,
    OPERATOR_GREATER,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_PRODUCT,
    OPERATOR_NEGATE,
    OPERATOR_POWER
} ExpressionOperator;

typedef enum TokenKind { TOKEN_NUMBER, TOKEN_NAME, TOKEN_OPERATOR, TOKEN_CALL, TOKEN_ARRAY } TokenKind;

/* One step of the postfix order: takes `arguments` values from the stack and puts one back. */
typedef struct Token {
    TokenKind kind;
    int arguments;
    size_t begin, end; /* bytes in the text */
    double number;
    const char *name;
    ExpressionOperator op;
    const Function *function;
    const UserFunction *user;
} Token;

struct Expression {
    Arena *arena;
    const Json *value; /* where the text stands */
    const char *text;
    size_t length;
    Token *token;
    int count;
    const char **names;
    int name_count;
};

/* Adds an error that points at bytes [begin, end) of the text; false. */
bool expression_error(const Expression *expression, size_t begin, size_t end, Error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
