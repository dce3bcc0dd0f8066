/* What plan.c (compiling) and plan_run.c (running) share. */
#ifndef GRADTOOL_AUTOGRAD_PLAN_INTERNAL_H
#define GRADTOOL_AUTOGRAD_PLAN_INTERNAL_H

#include "autograd/plan.h"

enum { CHAIN_SLOTS = 12, NO_SLOT = -1, SLOT_BYTES = PLAN_BLOCK * sizeof(double) };

/* Where a node's value stands. */
typedef enum PlaceKind { PLACE_NONE, PLACE_PARAMETER, PLACE_PERSISTENT, PLACE_SHARED, PLACE_SLOT } PlaceKind;
typedef struct Place {
    PlaceKind kind;
    size_t offset; /* in bytes, of PERSISTENT (inputs, constants) and SHARED */
    int slot;      /* of a value that lives only within its chain, block by block */
} Place;

typedef enum StepKind { STEP_KERNEL, STEP_CHAIN, STEP_ROUND, STEP_TAP } StepKind;

typedef struct Member {
    const Node *node;
    Kernel *kernel;
    int out_slot;
    int in_slot[OP_MAX_INPUTS];
    RoundValues *round; /* NULL: nothing is rounded */
    const Tap *taps;
} Member;

typedef struct Step {
    StepKind kind;
    const Node *node; /* KERNEL, ROUND, TAP */
    Kernel *kernel;
    RoundValues *round; /* ROUND */
    const Tap *taps;    /* TAP */
    Member *member;     /* CHAIN */
    int members;
    size_t elements; /* CHAIN, ROUND, TAP */
    size_t units;    /* blocks of CHAIN, ROUND and TAP */
    double flops;
    bool is_divided; /* worth more than one thread */
} Step;

struct Plan {
    const Graph *graph;
    Variant variant;
    Step *step;
    int steps;
    Place *place; /* of each node */
    size_t persistent_bytes, shared_bytes;
    size_t scratch_bytes; /* of a thread: slots of chains, or what one operator asked for */
    bool is_divided;
    double flops;
};

/* What brings a value into its half precision when its kernel has run; NULL: nothing does. */
RoundValues *rounding_of(const Node *y, Variant variant);

struct Workspace {
    const Plan *plan;
    char *persistent, *shared;
    void **at;         /* of each node; NULL for slots and dropped ones */
    char *scratch[64]; /* of each thread */
    Arena *arena;
    RunContext context;
};

#endif
