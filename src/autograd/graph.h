/* Training is a graph: nodes are operators, edges are tensors, and the gradient is more nodes of the same graph.
 *
 * Creation order is execution order: nodes are appended and never moved. Building returns no errors: the graph keeps the
 * first one with its layer path, and plan_compile() reports it, so models and derivatives stay expressions. */
#ifndef GRADTOOL_AUTOGRAD_GRAPH_H
#define GRADTOOL_AUTOGRAD_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "tensor/half.h"
#include "tensor/parameter.h"
#include "tensor/shape.h"
#include "tensor/variant.h"

enum { OP_MAX_INPUTS = 4 };

typedef struct Node Node;
typedef struct Graph Graph;
typedef struct Op Op;

typedef enum OpKind {
    OP_SOURCE,     /* a value from outside: input, parameter, constant */
    OP_MAP,        /* element-wise over outputs: may be fused with its neighbours, block by block */
    OP_STRUCTURED, /* anything else with a kernel */
    OP_VIEW        /* the same numbers under another shape */
} OpKind;

/* Where gradient checks sample an input. */
typedef enum Domain { ANY, POSITIVE, NONZERO, INDEX } Domain;

/* What random operators draw from; the same for all nodes of a run of the plan. */
typedef struct RunContext {
    uint64_t seed;
    uint64_t step; /* differs in every run of the plan that is to draw new numbers */
} RunContext;

/* The part of the output that a kernel is to write: elements of a map, units (see Op) of a structured operator. */
typedef struct Part {
    size_t first, count;
    const RunContext *run;
    void *scratch; /* of this thread: as many bytes as the operator asked for, aligned to 64 */
} Part;

/* Writes out[part]. Inputs and output are contiguous arrays of `real`; those of a map already point at element part->first
 * unless the operator says `whole_input`. The output of a map may be one of its inputs. Never fails, never allocates. */
typedef void Kernel(const Node *y, void *out, const void *const in[], const Part *part);
/* Builds dL/d(in[i]) from y and dy = dL/dy, out of operators. */
typedef Node *Derivative(Node *y, Node *dy);

/* A use of the operator for the generated gradient checks: inputs of these shapes, sampled in `domain` (the first
 * input) or ANY (the others, unless `domains` says otherwise). */
typedef struct OpExample {
    const char *what;
    int inputs;
    Shape shape[OP_MAX_INPUTS];
    Domain domain[OP_MAX_INPUTS];
    Node *(*apply)(Node *const x[]);
} OpExample;

struct Op {
    const char *name;
    const char *help;
    OpKind kind;
    int inputs;
    bool whole_input; /* a map whose inputs are not of the output's shape (expand) */
    Kernel *kernel[VARIANT_COUNT];
    size_t (*units)(const Node *y);        /* structured: independent parts that threads may divide; NULL: one */
    size_t (*scratch)(const Node *y);      /* structured: numbers of memory that a thread needs aside; NULL: none */
    double (*flops)(const Node *y);        /* NULL: one an element */
    Derivative *derivative[OP_MAX_INPUTS]; /* NULL: constant in that input */
    const OpExample *examples;             /* ends with inputs == 0 */
};

typedef struct Attributes {
    double k, k2;
    int axis, start, length;
    bool transposed[2];
    int heads;
    bool is_causal, is_centred;
    bool is_bfloat16;  /* of a product: made by bfloat16_product */
    uint64_t identity; /* of a random operator: twins of a node draw the same numbers */
} Attributes;

/* Sees a computed value, block by block: values[0..count) stand at element `first` of the tensor, a multiple of PLAN_BLOCK.
 * Different blocks may be seen by different threads at the same time. Numbers are `real` of the plan's variant. */
typedef void TapFunction(void *context, const void *values, size_t first, size_t count);
typedef struct GradientHook {
    Node *(*rule)(Node *y, Node *dy, void *context);
    void *context;
    struct GradientHook *next;
} GradientHook;
typedef struct Tap {
    TapFunction *see;
    void *context;
    struct Tap *next;
} Tap;

struct Node {
    const Op *op;
    Graph *graph;
    Node *in[OP_MAX_INPUTS];
    Shape shape;
    Precision precision; /* of its numbers; half ones are rounded when they have been computed */
    Attributes attributes;
    int id;               /* position in the graph */
    const char *scope;    /* path of the layer that made it, NULL outside of any */
    const char *part;     /* what made it beside a layer: "loss", "penalty", a hook; NULL for none */
    const Node *origin;   /* the node whose derivative it is part of; NULL for a value of the forward pass */
    int segment;          /* the checkpointed segment that it belongs to, 0 for none */
    Node *twin;           /* its recomputation, where it has one */
    Node *half;           /* of a source: its cast by autocast, made once */
    const char *name;     /* of a source */
    Parameter *parameter; /* of a parameter source */
    const double *values; /* of a constant tensor */
    const void *context;  /* of an operator that was given one */
    GradientHook *hooks;
    Tap *taps;
};

/* A value that is copied into a buffer when the plan has run: running statistics. */
typedef struct Assignment {
    Node *value;
    Parameter *into;
} Assignment;

struct Graph {
    Arena *arena;
    Node **node;
    int count, capacity;
    const char *scope;     /* given to new nodes, */
    const char *part;      /* as this is, */
    const Node *origin;    /* and this */
    int segment, segments; /* given to new nodes; how many there have been */
    Precision autocast;    /* half: products cast their inputs to it; see op_autocast */
    bool has_bfloat16;     /* products of bfloat16 are made by the processor's instruction for them */
    bool is_inner;         /* new nodes are steps within one operator: float32, whatever they read */
    const char *error;     /* the first, with its scope */
    Assignment *assignment;
    int assignments, assignment_capacity;
};

Graph *graph_new(Arena *arena);

/* A tensor that is written before each run (workspace_value), a parameter, a number. The node of a parameter is made once. */
Node *graph_input(Graph *graph, const char *name, Shape shape);
Node *graph_parameter(Graph *graph, Parameter *parameter);
Node *graph_constant(Graph *graph, double value);
/* A constant tensor; `values` is borrowed. */
Node *graph_tensor(Graph *graph, Shape shape, const double *values);

/* The node whose numbers these are: x itself, or what it is a view of. */
Node *graph_base(Node *x);
/* Appends a node; for operator files. The inputs are in[0..op->inputs). Its precision is what theirs promote to. */
Node *graph_append(Graph *graph, const Op *op, Shape shape, Node *const in[]);
/* Keeps the first error; returns NULL never: a scalar constant stands in, so that building goes on. */
Node *graph_fail(Graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A gradient has the precision of what it is of; each derivative is computed in float32 and rounded once, as by PyTorch's
 * kernels.
 *
 * grad[i] = dL/d wrt[i], NULL where no gradient reaches it. `loss` is a scalar; `seed` is dL/dloss, NULL for 1.
 * wrt may hold any nodes. Nodes between are differentiated only where they lead to one of `leaves` (NULL: to one of wrt):
 * with parameters as leaves, a wrt that depends on no parameter has no gradient, as in PyTorch. */
void graph_gradient(Node *loss, Node *seed, Node *const wrt[], int count, Node *const leaves[], int leaf_count, Node *grad[]);

/* Changes the gradient of a node before it flows on: `rule` builds the new one from it, out of operators. Several rules apply
 * in the order in which they were given. */
typedef Node *GradientRule(Node *y, Node *dy, void *context);
void graph_on_gradient(Node *y, GradientRule *rule, void *context);
/* Where the gradient of `loss` stops on its way to x: the node that x's values reach but no gradient leaves. NULL when none
 * stops it: then nothing that leads to the loss reads x. */
const Node *graph_gradient_stop(const Node *x, const Node *loss);
void graph_tap(Node *y, TapFunction *see, void *context);
void graph_assign(Node *value, Parameter *into);

/* From here on (or: no longer) nodes are recomputed in the backward pass instead of kept: the segment is appended once more,
 * beside the gradient that first reads it, so the originals die with the forward pass. No bit changes: random operators draw
 * the same numbers. Inside a segment this does nothing. Returns whether a segment was begun; only who began it ends it. Chen et
 * al. 2016, "Training deep nets with sublinear memory cost". */
bool graph_checkpoint_begin(Graph *graph);
void graph_checkpoint_end(Graph *graph);
/* The node through which a gradient reads the value of x: x itself, or its twin. */
Node *graph_readable(Node *x);

#endif
