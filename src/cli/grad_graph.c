/* cli/grad_graph.c: the backward graph as a tree in the terminal, as Graphviz's language, or drawn by Graphviz. */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "autograd/backward_graph.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/array_text.h"
#include "cli/grad.h"

extern char **environ;

/* What stands on a node: the operator, the name, or the number. */
static const char *node_label(const BackwardNode *node, Arena *arena)
{
    return *node->label ? node->label : array_brief(arena, node->value);
}

/* ---- a tree ---- */

/* One line to come: a node as an input of the line above it. */
typedef struct Branch {
    int node;
    const Array *gradient; /* that comes along this edge */
    const char *indent;    /* of the lines below */
    const char *bracket;   /* before the label */
} Branch;

typedef struct Cell {
    const char *label, *value, *gradient;
} Cell;

/* Without recursion: an expression may nest deeper than the stack. */
typedef struct Tree {
    Arena *arena;
    const BackwardGraph *graph;
    bool is_ascii;
    Branch *open;
    int opened;
    bool *is_shown;
    Cell *cell;
    int cells;
} Tree;

static void open_inputs(Tree *t, const BackwardNode *node, const char *indent)
{
    const char *const brackets[] = {t->is_ascii ? "`- " : "└─ ", t->is_ascii ? "|- " : "├─ "};
    const char *const bars[] = {"   ", t->is_ascii ? "|  " : "│  "};
    for (int k = node->inputs - 1; k >= 0; k--) {
        bool goes_on = k < node->inputs - 1;
        t->open[t->opened++] = (Branch){.node = node->input[k].node,
                                        .gradient = node->input[k].gradient,
                                        .bracket = arena_printf(t->arena, "%s%s", indent, brackets[goes_on]),
                                        .indent = arena_printf(t->arena, "%s%s", indent, bars[goes_on])};
    }
}

static void add_branch(Tree *t, Branch branch)
{
    const BackwardNode *node = &t->graph->node[branch.node];
    bool again = t->is_shown[branch.node] && node->inputs;
    t->is_shown[branch.node] = true;
    Cell *cell = &t->cell[t->cells++];
    cell->label = arena_printf(t->arena, "%s%s%s", branch.bracket, node_label(node, t->arena), again ? " (above)" : "");
    cell->value = *node->label ? arena_printf(t->arena, "value %s", array_brief(t->arena, node->value)) : "";
    cell->gradient = branch.gradient ? arena_printf(t->arena, "gradient %s", array_brief(t->arena, branch.gradient)) : "";
    if (!again)
        open_inputs(t, node, branch.indent);
}

static void write_cells(const Tree *t, Text *text)
{
    int label = 0, value = 0;
    for (int i = 0; i < t->cells; i++) {
        label = text_width(t->cell[i].label) > label ? text_width(t->cell[i].label) : label;
        value = text_width(t->cell[i].value) > value ? text_width(t->cell[i].value) : value;
    }
    for (int i = 0; i < t->cells; i++) {
        const Cell *cell = &t->cell[i];
        text_add(text, cell->label);
        if (*cell->value || *cell->gradient)
            text_printf(text, "%*s%s", label + 2 - text_width(cell->label), "", cell->value);
        if (*cell->gradient)
            text_printf(text, "%*s%s", value + 2 - text_width(cell->value), "", cell->gradient);
        text_add_char(text, '\n');
    }
}

bool grad_add_tree(const GradSession *session, const GradResult *result, Text *text, Error *err)
{
    DifferentiateJob job = grad_job(session, result->expression);
    const BackwardGraph *graph = backward_graph(&job, session->cmd->arena, err);
    if (!graph)
        return false;
    int lines = graph->count * (OP_MAX_INPUTS + 1); /* each node opens its inputs once */
    Tree tree = {.arena = session->cmd->arena, .graph = graph, .is_ascii = session->cmd->out.is_ascii};
    tree.open = ARENA_ARRAY(tree.arena, Branch, lines);
    tree.cell = ARENA_ARRAY(tree.arena, Cell, lines);
    tree.is_shown = ARENA_ARRAY(tree.arena, bool, graph->count);
    tree.open[tree.opened++] =
        (Branch){.node = graph->count - 1, .gradient = graph->node[graph->count - 1].gradient, .indent = "", .bracket = ""};
    while (tree.opened)
        add_branch(&tree, tree.open[--tree.opened]);
    write_cells(&tree, text);
    return true;
}

/* ---- Graphviz ---- */

static void add_escaped(Text *text, const char *string)
{
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            text_add_char(text, '\\');
        text_add_char(text, *string);
    }
}

static void add_edge(Text *text, Arena *arena, const char *from, const char *to, const BackwardNode *node,
                     const Array *gradient)
{
    text_printf(text, "  %s -> %s [label=\"", from, to);
    if (*node->label)
        text_printf(text, "value %s\\l", array_brief(arena, node->value));
    if (gradient)
        text_printf(text, "gradient %s\\l", array_brief(arena, gradient));
    text_add(text, gradient ? "\"];\n" : "\", style=dashed];\n");
}

/* Arrows run as the gradient does, from the value to the variables; dashed where none runs. */
static void add_dot(Text *text, const GradResult *result, const BackwardGraph *graph, Arena *arena)
{
    text_add(text, "digraph backward {\n  label=\"");
    add_escaped(text, result->text);
    text_add(text,
             "\";\n  labelloc=t;\n  node [fontname=\"Helvetica\", shape=box];\n  edge [fontname=\"Helvetica\", fontsize=10];\n"
             "  value [shape=plaintext];\n");
    for (int i = 0; i < graph->count; i++) {
        text_printf(text, "  n%d [label=\"", i);
        add_escaped(text, node_label(&graph->node[i], arena));
        text_add(text, graph->node[i].is_variable ? "\", shape=ellipse, style=filled, fillcolor=\"#cfe2f3\"];\n" : "\"];\n");
    }
    const BackwardNode *last = &graph->node[graph->count - 1];
    add_edge(text, arena, "value", arena_printf(arena, "n%d", graph->count - 1), last, last->gradient);
    for (int i = 0; i < graph->count; i++)
        for (int k = 0; k < graph->node[i].inputs; k++) {
            const BackwardEdge *edge = &graph->node[i].input[k];
            add_edge(text, arena, arena_printf(arena, "n%d", i), arena_printf(arena, "n%d", edge->node),
                     &graph->node[edge->node], edge->gradient);
        }
    text_add(text, "}\n");
}

static void close_stream(void *stream)
{
    fclose(stream);
}

/* An unnamed file, so that neither side waits for the other as with pipes. */
static FILE *open_unnamed(Arena *arena)
{
    FILE *file = tmpfile();
    if (file)
        arena_defer(arena, close_stream, file);
    return file;
}

static int start_dot(FILE *input, FILE *output, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure)
        return failure;
    char name[] = "dot", format[] = "-Tsvg";
    char *const arguments[] = {name, format, NULL};
    failure = posix_spawn_file_actions_adddup2(&actions, fileno(input), 0);
    if (!failure)
        failure = posix_spawn_file_actions_adddup2(&actions, fileno(output), 1);
    if (!failure)
        failure = posix_spawnp(child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static bool read_back(FILE *file, Text *into)
{
    char bytes[4096];
    size_t count;
    rewind(file);
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        text_add_bytes(into, bytes, count);
    return !ferror(file) && into->length > 0;
}

static bool draw(const Text *dot, Text *picture, Arena *arena, Error *err)
{
    FILE *input = open_unnamed(arena), *output = open_unnamed(arena);
    pid_t child;
    if (!input || !output || fwrite(dot->at, 1, dot->length, input) != dot->length || fflush(input) != 0)
        return error_add(err, "a temporary file cannot be written: %s", strerror(errno));
    rewind(input);
    int failure = start_dot(input, output, &child), status = 0;
    if (failure) {
        error_add(err, "an SVG needs Graphviz, whose program `dot` cannot be started: %s", strerror(failure));
        return error_hint(err, "install graphviz, or write a .dot file, or print a tree with --graph -");
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !read_back(output, picture))
        return error_add(err, "Graphviz's `dot` failed");
    return true;
}

bool grad_write_graph(const GradSession *session, const GradResult *result, const char *path, Error *err)
{
    Arena *arena = session->cmd->arena;
    if (!text_ends_in(path, ".dot") && !text_ends_in(path, ".svg")) {
        error_add(err, "--graph cannot write `%s`", path);
        return error_hint(err, "it writes FILE.svg, FILE.dot, or with - a tree in the text");
    }
    DifferentiateJob job = grad_job(session, result->expression);
    const BackwardGraph *graph = backward_graph(&job, arena, err);
    if (!graph)
        return false;
    Text dot = text_new(arena), picture = text_new(arena);
    add_dot(&dot, result, graph, arena);
    if (text_ends_in(path, ".dot"))
        return file_write(path, dot.at, dot.length, err);
    return draw(&dot, &picture, arena, err) && file_write(path, picture.at, picture.length, err);
}
