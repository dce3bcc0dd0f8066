/* Compiling: what is needed, in which steps, and where every value stands. */
#include "autograd/plan.h"

#include "autograd/ops.h"
#include "autograd/placement.h"
#include "autograd/plan_internal.h"

enum { MEMBER_LIMIT = 48 };

/* Steps below this many operations are done by one thread: meeting costs more. */
#define DIVIDE_STEP 3e4
#define DIVIDE_PLAN 4e6

/* The facts about each node that compiling collects; arrays by node id. */
typedef struct Compiler {
    Graph *graph;
    Arena *scratch, *arena;
    Plan *plan;
    bool is_apart; /* every node is a step by itself */
    bool *needed, *is_root;
    int *step_of;     /* the step that computes it, -1 for none */
    int *member_of;   /* its place in its chain */
    int *last_step;   /* the last step that reads it */
    int *last_member; /* in that step, if a chain, the last member that does */
    bool *read_whole; /* some member of its last chain reads it out of step */
    bool *is_taken;   /* a later value has taken over its buffer */
    Tap **taps;       /* of the node and all views of it */
    int *buffer_of;   /* index plus one */
    Buffer *buffer;
    int buffers;
} Compiler;

static size_t bytes_of(const Compiler *c, const Node *x)
{
    return (shape_count(x->shape) * variant_size(c->plan->variant) + 63) & ~(size_t)63;
}

static void mark_needed(Compiler *c, Node *const roots[], int count)
{
    Graph *graph = c->graph;
    for (int i = 0; i < count; i++) {
        c->needed[roots[i]->id] = true;
        c->is_root[graph_base(roots[i])->id] = true;
    }
    for (int i = 0; i < graph->assignments && !c->is_apart; i++) {
        c->needed[graph->assignment[i].value->id] = true;
        c->is_root[graph_base(graph->assignment[i].value)->id] = true;
    }
    for (int i = graph->count - 1; i >= 0; i--) {
        Node *y = graph->node[i];
        if (y->taps && !c->is_apart) {
            c->needed[i] = true;
            int base = graph_base(y)->id;
            for (const Tap *tap = y->taps; tap; tap = tap->next) {
                Tap *copy = ARENA_NEW(c->arena, Tap);
                *copy = (Tap){tap->see, tap->context, c->taps[base]};
                c->taps[base] = copy;
            }
        }
        for (int k = 0; c->needed[i] && k < y->op->inputs; k++)
            c->needed[y->in[k]->id] = true;
    }
}

static double flops_of(const Node *y)
{
    return y->op->flops ? y->op->flops(y) : (double)shape_count(y->shape);
}

static Step *add_step(Compiler *c, StepKind kind)
{
    Step *step = &c->plan->step[c->plan->steps++];
    step->kind = kind;
    return step;
}

/* A pass over a value that has been computed, block by block. */
static Step *add_pass(Compiler *c, StepKind kind, const Node *node)
{
    Step *step = add_step(c, kind);
    step->node = node;
    step->elements = shape_count(node->shape);
    step->units = (step->elements + PLAN_BLOCK - 1) / PLAN_BLOCK;
    step->flops = (double)step->elements;
    return step;
}

static void add_tap_step(Compiler *c, const Node *node)
{
    add_pass(c, STEP_TAP, node)->taps = c->taps[node->id];
}

static void note_read(Compiler *c, const Node *y, int step, int member)
{
    for (int k = 0; k < y->op->inputs; k++) {
        int x = graph_base(y->in[k])->id;
        if (c->last_step[x] != step)
            c->read_whole[x] = false;
        c->last_step[x] = step;
        c->last_member[x] = member;
        c->read_whole[x] |= y->op->whole_input || y->op->kind != OP_MAP;
    }
}

/* A map joins the chain before it when it has as many elements and reads no member's value out of step. */
static bool joins(const Compiler *c, const Step *chain, const Node *y)
{
    if (!chain || c->is_apart || chain->members == MEMBER_LIMIT || chain->elements != shape_count(y->shape))
        return false;
    for (int k = 0; y->op->whole_input && k < y->op->inputs; k++)
        if (c->step_of[graph_base(y->in[k])->id] == c->plan->steps - 1)
            return false;
    return true;
}

static void make_steps(Compiler *c)
{
    Graph *graph = c->graph;
    Step *chain = NULL;
    for (int i = 0; i < graph->count; i++)
        if (c->needed[i] && graph->node[i]->op->kind == OP_SOURCE && c->taps[i])
            add_tap_step(c, graph->node[i]);
    for (int i = 0; i < graph->count; i++) {
        Node *y = graph->node[i];
        if (!c->needed[i] || y->op->kind == OP_SOURCE || y->op->kind == OP_VIEW)
            continue;
        Kernel *kernel = y->op->kernel[c->plan->variant];
        RoundValues *round = rounding_of(y, c->plan->variant);
        if (y->op->kind == OP_MAP) {
            if (!joins(c, chain, y)) {
                chain = add_step(c, STEP_CHAIN);
                chain->elements = shape_count(y->shape);
                chain->units = (chain->elements + PLAN_BLOCK - 1) / PLAN_BLOCK;
                chain->member = ARENA_ARRAY(c->scratch, Member, c->is_apart ? 1 : MEMBER_LIMIT);
            }
            c->member_of[i] = chain->members;
            chain->member[chain->members++] = (Member){.node = y, .kernel = kernel, .round = round, .taps = c->taps[i]};
            chain->flops += flops_of(y);
        } else {
            Step *step = add_step(c, STEP_KERNEL);
            step->node = y;
            step->kernel = kernel;
            step->units = y->op->units ? y->op->units(y) : 1;
            step->flops = flops_of(y);
            chain = NULL;
        }
        c->step_of[i] = c->plan->steps - 1;
        note_read(c, y, c->plan->steps - 1, c->member_of[i]);
        if (y->op->kind != OP_MAP && round)
            add_pass(c, STEP_ROUND, y)->round = round;
        if (y->op->kind != OP_MAP && c->taps[i])
            add_tap_step(c, y);
    }
}

/* The buffer of an input that dies with this member, read in step, of the same size: the result may take its place. */
static int buffer_to_take_over(Compiler *c, const Node *y, int step, int member)
{
    for (int k = 0; k < y->op->inputs; k++) {
        int x = graph_base(y->in[k])->id;
        int buffer = c->buffer_of[x];
        if (buffer && !c->is_root[x] && !c->is_taken[x] && c->last_step[x] == step && c->last_member[x] <= member &&
            !c->read_whole[x] && c->step_of[x] != step && c->buffer[buffer - 1].bytes == bytes_of(c, y) &&
            c->buffer[buffer - 1].last == step) {
            c->is_taken[x] = true;
            return buffer;
        }
    }
    return 0;
}

static void give_buffer(Compiler *c, const Node *y, int step, int taken)
{
    int end = c->is_root[y->id] ? c->plan->steps : c->last_step[y->id] > step ? c->last_step[y->id] : step;
    int passes = y->op->kind == OP_MAP ? 0 : (c->taps[y->id] != NULL) + (rounding_of(y, c->plan->variant) != NULL);
    end = end > step + passes ? end : step + passes;
    if (!taken) {
        c->buffer[c->buffers++] = (Buffer){.bytes = bytes_of(c, y), .first = step, .last = end};
        taken = c->buffers;
    }
    c->buffer_of[y->id] = taken;
    c->buffer[taken - 1].last = end > c->buffer[taken - 1].last ? end : c->buffer[taken - 1].last;
}

/* Values that do not leave the chain live in slots, block by block; the others get buffers. */
static void place_chain(Compiler *c, int index)
{
    Step *chain = &c->plan->step[index];
    int free_after[CHAIN_SLOTS]; /* the last member that reads the slot */
    for (int s = 0; s < CHAIN_SLOTS; s++)
        free_after[s] = -1;
    for (int m = 0; m < chain->members; m++) {
        Member *member = &chain->member[m];
        const Node *y = member->node;
        for (int k = 0; k < y->op->inputs; k++) {
            const Place *place = &c->plan->place[graph_base(y->in[k])->id];
            member->in_slot[k] = place->kind == PLACE_SLOT ? place->slot : NO_SLOT;
        }
        member->out_slot = NO_SLOT;
        bool stays = !c->is_apart && !c->is_root[y->id] && c->last_step[y->id] <= index;
        for (int s = 0; stays && s < CHAIN_SLOTS && member->out_slot == NO_SLOT; s++)
            if (free_after[s] <= m)
                member->out_slot = s;
        if (member->out_slot != NO_SLOT) {
            bool is_read = c->last_step[y->id] == index;
            free_after[member->out_slot] = is_read ? c->last_member[y->id] : m;
            c->plan->place[y->id] = (Place){.kind = PLACE_SLOT, .slot = member->out_slot};
        } else {
            give_buffer(c, y, index, c->is_apart ? 0 : buffer_to_take_over(c, y, index, m));
        }
    }
}

static void place_values(Compiler *c)
{
    Plan *plan = c->plan;
    Graph *graph = c->graph;
    for (int s = 0; s < plan->steps; s++) {
        Step *step = &plan->step[s];
        if (step->kind == STEP_CHAIN)
            place_chain(c, s);
        else if (step->kind == STEP_KERNEL)
            give_buffer(c, step->node, s, 0);
        Member *members = step->members ? ARENA_ARRAY(c->arena, Member, step->members) : NULL;
        for (int m = 0; m < step->members; m++)
            members[m] = step->member[m];
        step->member = members;
    }
    plan->shared_bytes = placement_assign(c->buffer, c->buffers, plan->steps, c->scratch);
    for (int i = 0; i < graph->count; i++) {
        Node *y = graph->node[i];
        Place *place = &plan->place[i];
        if (!c->needed[i])
            continue;
        if (c->buffer_of[i]) {
            *place = (Place){.kind = PLACE_SHARED, .offset = c->buffer[c->buffer_of[i] - 1].offset};
        } else if (y->op->kind == OP_SOURCE && y->parameter && plan->variant != VARIANT_F64) {
            place->kind = PLACE_PARAMETER;
        } else if (y->op->kind == OP_SOURCE) {
            *place = (Place){.kind = PLACE_PERSISTENT, .offset = plan->persistent_bytes};
            plan->persistent_bytes += bytes_of(c, y);
        } else if (y->op->kind == OP_VIEW) {
            *place = plan->place[graph_base(y)->id];
        }
    }
}

static void total_steps(Plan *plan)
{
    plan->scratch_bytes = CHAIN_SLOTS * (size_t)SLOT_BYTES;
    for (int s = 0; s < plan->steps; s++) {
        Step *step = &plan->step[s];
        const Op *op = step->kind == STEP_KERNEL ? step->node->op : NULL;
        size_t bytes = op && op->scratch ? op->scratch(step->node) * variant_size(plan->variant) : 0;
        plan->scratch_bytes = bytes > plan->scratch_bytes ? bytes : plan->scratch_bytes;
        step->is_divided = step->units > 1 && step->flops >= DIVIDE_STEP;
        plan->flops += step->flops;
    }
    plan->is_divided = plan->flops >= DIVIDE_PLAN;
}

static Plan *compile(Graph *graph, Node *const roots[], int count, Variant variant, bool apart, Arena *arena, Error *err)
{
    if (graph->error) {
        error_add(err, "%s", graph->error);
        return NULL;
    }
    Arena *scratch = arena_new(arena);
    int n = graph->count;
    Plan *plan = ARENA_NEW(arena, Plan);
    *plan = (Plan){.graph = graph, .variant = variant, .place = ARENA_ARRAY(arena, Place, n)};
    plan->step = ARENA_ARRAY(arena, Step, 3 * n);
    Compiler c = {
        .graph = graph,
        .scratch = scratch,
        .arena = arena,
        .plan = plan,
        .is_apart = apart,
        .needed = ARENA_ARRAY(scratch, bool, n),
        .is_root = ARENA_ARRAY(scratch, bool, n),
        .step_of = ARENA_ARRAY(scratch, int, n),
        .member_of = ARENA_ARRAY(scratch, int, n),
        .last_step = ARENA_ARRAY(scratch, int, n),
        .last_member = ARENA_ARRAY(scratch, int, n),
        .read_whole = ARENA_ARRAY(scratch, bool, n),
        .is_taken = ARENA_ARRAY(scratch, bool, n),
        .taps = ARENA_ARRAY(scratch, Tap *, n),
        .buffer_of = ARENA_ARRAY(scratch, int, n),
        .buffer = ARENA_ARRAY(scratch, Buffer, n),
    };
    for (int i = 0; i < n; i++)
        c.step_of[i] = c.last_step[i] = -1;
    mark_needed(&c, roots, count);
    make_steps(&c);
    place_values(&c);
    total_steps(plan);
    arena_free(scratch);
    return plan;
}

Plan *plan_compile(Graph *graph, Node *const roots[], int count, Variant variant, Arena *arena, Error *err)
{
    return compile(graph, roots, count, variant, false, arena, err);
}

Plan *plan_compile_apart(Graph *graph, Node *const roots[], int count, Variant variant, Arena *arena, Error *err)
{
    return compile(graph, roots, count, variant, true, arena, err);
}

const Graph *plan_graph(const Plan *plan)
{
    return plan->graph;
}

size_t plan_bytes(const Plan *plan)
{
    return plan->persistent_bytes + plan->shared_bytes;
}

double plan_flops(const Plan *plan)
{
    return plan->flops;
}

int plan_step_count(const Plan *plan)
{
    return plan->steps;
}
