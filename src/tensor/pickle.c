/* The pickle machine: a stack, marks on it, and a memo; one opcode after the other. */
#include "tensor/pickle.h"

#include <limits.h>
#include <string.h>

#include "tensor/number_type.h"

typedef struct Machine {
    Arena *arena;
    const char *path;
    const char *const *allowed;
    const unsigned char *at, *end;
    Pickle **stack, **memo;
    size_t depth, stack_capacity, memo_capacity, limit; /* limit: more entries than the file has bytes make no sense */
    size_t *mark;
    size_t marks, mark_capacity;
    Error *err;
} Machine;

static bool broken(Machine *m, const char *why)
{
    return error_in_file(m->err, m->path, 0, 0, "a broken pickle: %s", why);
}

static bool refuse(Machine *m, const char *what)
{
    error_in_file(m->err, m->path, 0, 0, "contains Python objects (%s), which are not loaded", what);
    return error_hint(m->err, "save only the state_dict, or use safetensors");
}

static bool push(Machine *m, Pickle *value)
{
    if (m->depth == m->stack_capacity) {
        size_t capacity = m->stack_capacity ? 2 * m->stack_capacity : 64;
        m->stack = arena_grow(m->arena, m->stack, m->depth * sizeof *m->stack, capacity * sizeof *m->stack);
        m->stack_capacity = capacity;
    }
    m->stack[m->depth++] = value;
    return true;
}

static Pickle *make(Machine *m, PickleKind kind)
{
    Pickle *value = ARENA_NEW(m->arena, Pickle);
    value->kind = kind;
    return value;
}

static bool push_new(Machine *m, PickleKind kind, int64_t integer)
{
    Pickle *value = make(m, kind);
    value->integer = integer;
    return push(m, value);
}

/* Values above the last mark, or on the whole stack. */
static size_t floor_of(const Machine *m)
{
    return m->marks ? m->mark[m->marks - 1] : 0;
}

static Pickle *pop(Machine *m)
{
    if (m->depth > floor_of(m))
        return m->stack[--m->depth];
    broken(m, "it takes more than it has");
    return NULL;
}

static Pickle *top(Machine *m)
{
    if (m->depth > floor_of(m))
        return m->stack[m->depth - 1];
    broken(m, "it takes more than it has");
    return NULL;
}

/* `bytes` bytes of the file, NULL when there are no more so many. */
static const unsigned char *take(Machine *m, uint64_t bytes)
{
    if (bytes > (size_t)(m->end - m->at)) {
        broken(m, "it is cut short");
        return NULL;
    }
    m->at += bytes;
    return m->at - bytes;
}

static bool take_number(Machine *m, size_t bytes, uint64_t *number)
{
    const unsigned char *from = take(m, bytes);
    *number = from ? number_bits(from, bytes, false) : 0;
    return from != NULL;
}

static void add_item(Machine *m, Pickle *to, Pickle *item)
{
    if (to->count == to->capacity) {
        int capacity = to->capacity ? 2 * to->capacity : 4;
        to->item = arena_grow(m->arena, to->item, sizeof(Pickle *) * (size_t)to->count, sizeof(Pickle *) * (size_t)capacity);
        to->capacity = capacity;
    }
    to->item[to->count++] = item;
}

/* The values from stack[from] on become a tuple. */
static bool push_tuple(Machine *m, size_t from)
{
    Pickle *tuple = make(m, PICKLE_SEQUENCE);
    for (size_t i = from; i < m->depth; i++)
        add_item(m, tuple, m->stack[i]);
    m->depth = from;
    return push(m, tuple);
}

static bool push_mark(Machine *m)
{
    if (m->marks == m->mark_capacity) {
        size_t capacity = m->mark_capacity ? 2 * m->mark_capacity : 16;
        m->mark = arena_grow(m->arena, m->mark, m->marks * sizeof *m->mark, capacity * sizeof *m->mark);
        m->mark_capacity = capacity;
    }
    m->mark[m->marks++] = m->depth;
    return true;
}

static bool pop_mark(Machine *m, size_t *from)
{
    if (!m->marks)
        return broken(m, "a mark is missing");
    *from = m->mark[--m->marks];
    return true;
}

/* The values from stack[from] on go into the list or dict below them. */
static bool store(Machine *m, size_t from, bool pairs)
{
    Pickle *into = from > floor_of(m) ? m->stack[from - 1] : NULL;
    bool fits = into && (pairs ? into->kind == PICKLE_DICT || into->kind == PICKLE_CALL : into->kind == PICKLE_SEQUENCE);
    if (!fits || (pairs && (m->depth - from) % 2 != 0) || m->depth - from > (size_t)(INT_MAX / 4 - into->count))
        return broken(m, "items are set on what has none");
    for (size_t i = from; i < m->depth; i++)
        add_item(m, into, m->stack[i]);
    m->depth = from;
    return true;
}

static bool store_one(Machine *m, bool pair)
{
    size_t items = pair ? 2 : 1;
    if (m->depth < floor_of(m) + items)
        return broken(m, "it takes more than it has");
    return store(m, m->depth - items, pair);
}

static bool store_marked(Machine *m, bool pairs)
{
    size_t from = 0;
    return pop_mark(m, &from) && store(m, from, pairs);
}

static const char *take_line(Machine *m)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) {
        broken(m, "it is cut short");
        return NULL;
    }
    const char *line = arena_strndup(m->arena, (const char *)m->at, (size_t)(end - m->at));
    m->at = end + 1;
    return line;
}

static bool push_global(Machine *m)
{
    const char *module = take_line(m), *name = module ? take_line(m) : NULL;
    if (!name)
        return false;
    Pickle *value = make(m, PICKLE_GLOBAL);
    value->text = arena_printf(m->arena, "%s %s", module, name);
    for (const char *const *allowed = m->allowed; *allowed; allowed++)
        if (!strcmp(*allowed, value->text))
            return push(m, value);
    return refuse(m, arena_printf(m->arena, "%.60s.%.60s", module, name));
}

static bool push_string(Machine *m, size_t length_bytes)
{
    uint64_t length;
    const unsigned char *text = take_number(m, length_bytes, &length) ? take(m, length) : NULL;
    if (!text)
        return false;
    if (memchr(text, 0, (size_t)length))
        return broken(m, "a string holds a zero byte");
    Pickle *value = make(m, PICKLE_STRING);
    value->text = arena_strndup(m->arena, (const char *)text, (size_t)length);
    return push(m, value);
}

/* A signed number of `bytes` bytes. */
static bool push_integer(Machine *m, uint64_t bytes)
{
    uint64_t bits = 0;
    if (bytes > 8)
        return broken(m, "an integer of more than 64 bits");
    if (bytes && !take_number(m, (size_t)bytes, &bits))
        return false;
    if (bytes && bytes < 8 && bits >> (8 * bytes - 1))
        bits |= ~(uint64_t)0 << 8 * bytes;
    return push_new(m, PICKLE_INTEGER, (int64_t)bits);
}

static bool push_long(Machine *m)
{
    uint64_t bytes;
    return take_number(m, 1, &bytes) && push_integer(m, bytes);
}

static bool push_unsigned(Machine *m, size_t bytes)
{
    uint64_t bits;
    return take_number(m, bytes, &bits) && push_new(m, PICKLE_INTEGER, (int64_t)bits);
}

static bool push_float(Machine *m)
{
    const unsigned char *from = take(m, 8);
    if (!from)
        return false;
    uint64_t bits = number_bits(from, 8, true);
    Pickle *value = make(m, PICKLE_NUMBER);
    memcpy(&value->number, &bits, sizeof bits);
    return push(m, value);
}

static bool put(Machine *m, size_t bytes)
{
    uint64_t index;
    Pickle *value = top(m);
    if (!value || !take_number(m, bytes, &index))
        return false;
    if (index > m->limit)
        return broken(m, "a memo number is beyond its length");
    if (index >= m->memo_capacity) {
        size_t capacity = 2 * (size_t)index + 16;
        m->memo = arena_grow(m->arena, m->memo, m->memo_capacity * sizeof *m->memo, capacity * sizeof *m->memo);
        m->memo_capacity = capacity;
    }
    m->memo[index] = value;
    return true;
}

static bool get(Machine *m, size_t bytes)
{
    uint64_t index;
    if (!take_number(m, bytes, &index))
        return false;
    if (index >= m->memo_capacity || !m->memo[index])
        return broken(m, "it refers to what it did not keep");
    return push(m, m->memo[index]);
}

static bool call(Machine *m)
{
    Pickle *arguments = pop(m), *function = arguments ? pop(m) : NULL;
    if (!function)
        return false;
    if (function->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_SEQUENCE)
        return refuse(m, "a call of a computed function");
    Pickle *value = make(m, PICKLE_CALL);
    value->function = function;
    value->arguments = arguments;
    return push(m, value);
}

/* The state that an object is given: of an OrderedDict its attributes (_metadata), which say nothing about tensors. */
static bool build(Machine *m)
{
    const Pickle *state = pop(m), *object = state ? top(m) : NULL;
    if (!object)
        return false;
    return object->kind == PICKLE_CALL || refuse(m, "an object with a state of its own");
}

static bool push_persistent(Machine *m)
{
    Pickle *name = pop(m);
    if (!name)
        return false;
    Pickle *value = make(m, PICKLE_PERSISTENT);
    add_item(m, value, name);
    return push(m, value);
}

static bool push_last(Machine *m, size_t count)
{
    if (m->depth < floor_of(m) + count)
        return broken(m, "it takes more than it has");
    return push_tuple(m, m->depth - count);
}

static bool push_marked(Machine *m)
{
    size_t from = 0;
    return pop_mark(m, &from) && push_tuple(m, from);
}

/* PROTO: later ones have other opcodes for the same values. */
static bool check_protocol(Machine *m)
{
    uint64_t protocol;
    if (!take_number(m, 1, &protocol))
        return false;
    if (protocol <= 2)
        return true;
    error_in_file(m->err, m->path, 0, 0, "a pickle of protocol %d, which is not read", (int)protocol);
    return error_hint(m->err, "torch.save writes protocol 2 unless it is told otherwise");
}

static bool run(Machine *m, unsigned char opcode)
{
    switch (opcode) {
    case 0x80:
        return check_protocol(m);
    case 'c':
        return push_global(m);
    case '}':
        return push_new(m, PICKLE_DICT, 0);
    case ')':
    case ']':
        return push_new(m, PICKLE_SEQUENCE, 0);
    case 'R':
    case 0x81: /* NEWOBJ */
        return call(m);
    case 'b':
        return build(m);
    case '(':
        return push_mark(m);
    case 't':
        return push_marked(m);
    case 0x85: /* TUPLE1 to TUPLE3 */
    case 0x86:
    case 0x87:
        return push_last(m, opcode - 0x84u);
    case 'X':
        return push_string(m, 4);
    case 'U':
        return push_string(m, 1);
    case 'J':
        return push_integer(m, 4);
    case 'K':
        return push_unsigned(m, 1);
    case 'M':
        return push_unsigned(m, 2);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'G':
        return push_float(m);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_new(m, PICKLE_BOOL, opcode == 0x88);
    case 'N':
        return push_new(m, PICKLE_NONE, 0);
    case 'q':
        return put(m, 1);
    case 'r':
        return put(m, 4);
    case 'h':
        return get(m, 1);
    case 'j':
        return get(m, 4);
    case 's':
        return store_one(m, true);
    case 'u':
        return store_marked(m, true);
    case 'a':
        return store_one(m, false);
    case 'e':
        return store_marked(m, false);
    case 'Q':
        return push_persistent(m);
    default:
        return refuse(m, arena_printf(m->arena, "pickle opcode 0x%02x", opcode));
    }
}

Pickle *pickle_read(Arena *arena, const char *path, Bytes bytes, const char *const allowed[], Error *err)
{
    Machine m = {.arena = arena,
                 .path = path,
                 .allowed = allowed,
                 .at = bytes.at,
                 .end = bytes.at + bytes.count,
                 .limit = bytes.count,
                 .err = err};
    for (;;) {
        const unsigned char *opcode = take(&m, 1);
        if (!opcode)
            return NULL;
        if (*opcode == '.')
            return pop(&m);
        if (!run(&m, *opcode))
            return NULL;
    }
}
