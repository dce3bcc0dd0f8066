#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#include "tensor/statistics.h"

#define OPTIMIZER(name) extern const OptimizerType optimizer_##name;
#include "optim/optimizers.def"
#undef OPTIMIZER

#define OPTIMIZER(name) &optimizer_##name,
const OptimizerType *const optimizer_table[] = {
#include "optim/optimizers.def"
};
#undef OPTIMIZER

const int optimizer_count = (int)(sizeof optimizer_table / sizeof optimizer_table[0]);

enum { STATE_ALIGNMENT = 64 };

/* Bounds are looked at for so many updates at once, with a norm and a rate that may grow that much on the way. */
enum { SAFE_UPDATES = 64, SAFE_FACTOR = 4 };

/* One learned parameter. */
typedef struct Slot {
    Parameter *parameter; /* NULL: nothing to learn here */
    OptimizerOptions options;
    const Json *origin; /* the object that last changed the options, for messages */
    int rate;
    Parameter *steps; /* a counter: updates so far */
    float *state[OPTIMIZER_MAX_STATES];
    UpdateBound bound;
    bool is_bounded; /* the bound holds */
} Slot;

struct Optimizer {
    const OptimizerType *type;
    UpdateKernel *update;
    OptimizerOptions options;
    const char *type_name;
    Json *groups;
    Slot *slots;
    int count;
    double *base_rates, *rates; /* one for each lr that some group has: its own, and this step's */
    int rate_count;
    int safe_updates; /* that are still sure to stay finite, up to this norm and this rate */
    double safe_norm, safe_rate;
    Parameter **saved;
    int saved_count;
    size_t bytes;
};

static const Field common_fields[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .offset = offsetof(Optimizer, type_name),
     .standard = "\"sgd\"",
     .help = "sgd, adam, adamw, rmsprop, adagrad"},
    {.name = "groups", .type = FIELD_JSON, .offset = offsetof(Optimizer, groups), .help = "options of parameters by name"},
    {.name = NULL},
};

typedef struct Group {
    const char *match;
    OptimizerOptions options;
} Group;

static const Field group_fields[] = {
    {.name = "match",
     .type = FIELD_STRING,
     .offset = offsetof(Group, match),
     .required = true,
     .help = "glob of parameter names"},
    {.name = NULL},
};

static bool read_type(Arena *arena, Optimizer *optimizer, Json *object, Error *err)
{
    if (object->type != JSON_OBJECT)
        return error_at(err, object, "the optimizer must be an object");
    const Json *value = json_member(object, "type");
    if (!value) {
        json_add_member(arena, object, "type", json_new_string(arena, optimizer_table[0]->name));
        if (!json_member(object, "lr"))
            json_add_member(arena, object, "lr", json_new_number(arena, 0.01));
        optimizer->type = optimizer_table[0];
        return true;
    }
    const char **names = ARENA_ARRAY(arena, const char *, optimizer_count + 1);
    for (int i = 0; i < optimizer_count; i++)
        names[i] = optimizer_table[i]->name;
    int index = fields_choose(value, "optimizer", names, err);
    if (index < 0)
        return false;
    optimizer->type = optimizer_table[index];
    return true;
}

static bool read_betas(OptimizerOptions *options, Error *err)
{
    const Json *value = options->betas_json;
    if (!value)
        return true;
    bool is_right = value->type == JSON_ARRAY && value->count == 2;
    for (int i = 0; is_right && i < 2; i++) {
        const Json *beta = json_item(value, i);
        is_right = beta->type == JSON_NUMBER && beta->number >= 0 && beta->number < 1;
        options->betas[i] = beta->number;
    }
    return is_right || error_at(err, value, "betas must be two numbers from 0 to below 1");
}

/* The optimizer's fields without defaults: a group says only what it changes. */
static const Field *fields_without_defaults(Arena *arena, const Field *fields)
{
    int count = 0;
    while (fields[count].name)
        count++;
    Field *bare = ARENA_ARRAY(arena, Field, count + 1);
    for (int i = 0; i < count; i++) {
        bare[i] = fields[i];
        bare[i].standard = NULL;
        bare[i].required = false;
    }
    return bare;
}

static bool is_given(const Json *object, const char *key)
{
    const Json *value = json_member(object, key);
    return value && value->type != JSON_NULL;
}

static void copy_option(const Field *field, const OptimizerOptions *from, OptimizerOptions *to)
{
    size_t size = field->type == FIELD_NUMBER ? sizeof(double) : field->type == FIELD_BOOL ? sizeof(bool) : sizeof(Json *);
    memcpy((char *)to + field->offset, (const char *)from + field->offset, size);
    if (field->type == FIELD_JSON)
        memcpy(to->betas, from->betas, sizeof to->betas);
}

static bool read_group(Arena *arena, Optimizer *optimizer, Json *object, Error *err)
{
    Group group = {0};
    const Field *fields = fields_without_defaults(arena, optimizer->type->fields);
    const FieldSet sets[] = {{group_fields, &group}, {fields, &group.options}};
    if (!fields_read(arena, object, "the optimizer's group", sets, 2, err) || !read_betas(&group.options, err))
        return false;
    bool matches = false;
    for (int i = 0; i < optimizer->count; i++) {
        Slot *slot = &optimizer->slots[i];
        if (!slot->parameter || !text_glob(group.match, slot->parameter->name))
            continue;
        matches = true;
        slot->origin = object;
        for (const Field *field = fields; field->name; field++)
            if (is_given(object, field->name))
                copy_option(field, &group.options, &slot->options);
    }
    if (matches || !optimizer->count)
        return true;
    error_at(err, json_member(object, "match"), "no parameter's name matches \"%s\"", group.match);
    return error_hint(err, "names look like \"fc1.weight\"; * stands for any characters, dots too");
}

static bool read_groups(Arena *arena, Optimizer *optimizer, Error *err)
{
    if (!optimizer->groups)
        return true;
    if (optimizer->groups->type != JSON_ARRAY)
        return error_at(err, optimizer->groups, "groups must be a list of objects");
    bool is_right = true;
    for (Json *object = optimizer->groups->first; object; object = object->next)
        is_right = read_group(arena, optimizer, object, err) && is_right;
    return is_right;
}

static bool check_options(const Optimizer *optimizer, Error *err)
{
    if (!optimizer->type->objection)
        return true;
    for (int i = 0; i < optimizer->count; i++) {
        const Slot *slot = &optimizer->slots[i];
        const char *objection = optimizer->type->objection(&slot->options);
        if (objection)
            return error_at(err, slot->origin, "%s", objection);
    }
    return true;
}

static int find_rate(Optimizer *optimizer, double lr)
{
    for (int i = 0; i < optimizer->rate_count; i++)
        if (optimizer->base_rates[i] == lr)
            return i;
    optimizer->base_rates[optimizer->rate_count] = optimizer->rates[optimizer->rate_count] = lr;
    return optimizer->rate_count++;
}

static Parameter *save(Arena *arena, Optimizer *optimizer, const Slot *slot, const char *name, ParameterKind kind)
{
    Parameter *saved = ARENA_NEW(arena, Parameter);
    saved->name = arena_printf(arena, "%s.%s", slot->parameter->name, name);
    saved->layer = slot->parameter->layer;
    saved->kind = kind;
    saved->shape = kind == PARAMETER_COUNTER ? SHAPE_SCALAR : slot->parameter->shape;
    optimizer->saved[optimizer->saved_count++] = saved;
    return saved;
}

static bool keeps(const Optimizer *optimizer, const Slot *slot, int state)
{
    return slot->parameter && !slot->parameter->frozen && optimizer->type->state_names[state] &&
           optimizer->type->keeps(&slot->options, state);
}

static size_t state_bytes(const Slot *slot)
{
    size_t bytes = shape_count(slot->parameter->shape) * sizeof(float);
    return (bytes + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
}

static void lay_out_slot(Arena *arena, Optimizer *optimizer, Slot *slot, char **memory)
{
    slot->steps = save(arena, optimizer, slot, "step", PARAMETER_COUNTER);
    for (int state = 0; state < OPTIMIZER_MAX_STATES; state++) {
        if (!keeps(optimizer, slot, state))
            continue;
        Parameter *saved = save(arena, optimizer, slot, optimizer->type->state_names[state], PARAMETER_BUFFER);
        saved->data = slot->state[state] = (float *)(void *)*memory;
        *memory += state_bytes(slot);
        double initial = state == 0 && optimizer->type->initial ? optimizer->type->initial(&slot->options) : 0;
        for (size_t i = 0; initial != 0 && i < shape_count(slot->parameter->shape); i++)
            slot->state[state][i] = (float)initial;
    }
}

static bool allocate_state(Arena *arena, Optimizer *optimizer, Error *err)
{
    for (int i = 0; i < optimizer->count; i++)
        for (int state = 0; state < OPTIMIZER_MAX_STATES; state++)
            if (keeps(optimizer, &optimizer->slots[i], state))
                optimizer->bytes += state_bytes(&optimizer->slots[i]);
    char *memory = arena_try(arena, optimizer->bytes ? optimizer->bytes : 1);
    if (!memory) {
        error_add(err, "no memory for the %.0f MiB that %s keeps beside the weights", (double)optimizer->bytes / 0x1p20,
                  optimizer->type->name);
        return error_hint(err, "sgd without momentum keeps nothing");
    }
    optimizer->saved = ARENA_ARRAY(arena, Parameter *, optimizer->count * (OPTIMIZER_MAX_STATES + 1) + 1);
    for (int i = 0; i < optimizer->count; i++)
        if (optimizer->slots[i].parameter && !optimizer->slots[i].parameter->frozen)
            lay_out_slot(arena, optimizer, &optimizer->slots[i], &memory);
    return true;
}

Optimizer *optimizer_new(Arena *arena, Json *object, Parameter *const parameters[], int count, Error *err)
{
    Optimizer *optimizer = ARENA_NEW(arena, Optimizer);
    if (!object)
        object = json_new(arena, JSON_OBJECT);
    if (!read_type(arena, optimizer, object, err))
        return NULL;
    const FieldSet sets[] = {{common_fields, optimizer}, {optimizer->type->fields, &optimizer->options}};
    if (!fields_read(arena, object, "the optimizer", sets, 2, err) || !read_betas(&optimizer->options, err))
        return NULL;
    optimizer->update = optimizer->type->update[variant_best()];
    optimizer->slots = ARENA_ARRAY(arena, Slot, count + 1);
    optimizer->count = count;
    for (int i = 0; i < count; i++)
        optimizer->slots[i] = (Slot){.parameter = parameters[i]->kind == PARAMETER_WEIGHT ? parameters[i] : NULL,
                                     .options = optimizer->options,
                                     .origin = object};
    if (!read_groups(arena, optimizer, err) || !check_options(optimizer, err))
        return NULL;
    optimizer->base_rates = ARENA_ARRAY(arena, double, count + 1);
    optimizer->rates = ARENA_ARRAY(arena, double, count + 1);
    for (int i = 0; i < count; i++)
        optimizer->slots[i].rate = find_rate(optimizer, optimizer->slots[i].options.lr);
    return allocate_state(arena, optimizer, err) ? optimizer : NULL;
}

void optimizer_start_step(Optimizer *optimizer, const Schedule *schedule, int64_t step)
{
    for (int i = 0; i < optimizer->rate_count; i++)
        optimizer->rates[i] = schedule_rate_from(schedule, optimizer->base_rates[i], step);
}

bool optimizer_next(const Optimizer *optimizer, int index, Update *update)
{
    const Slot *slot = &optimizer->slots[index];
    if (!slot->steps)
        return false;
    *update = (Update){
        .options = &slot->options,
        .lr = optimizer->rates[slot->rate],
        .step = slot->steps->counter + 1,
        .coefficient = 1,
        .count = shape_count(slot->parameter->shape),
        .x = slot->parameter->data,
    };
    memcpy(update->state, slot->state, sizeof update->state);
    return true;
}

void optimizer_update(Optimizer *optimizer, int index, const float *gradient, double coefficient, UpdateStatistics *statistics)
{
    Update update;
    if (statistics)
        *statistics = (UpdateStatistics){0};
    if (!optimizer_next(optimizer, index, &update))
        return;
    update.coefficient = coefficient;
    update.gradient = gradient;
    update.statistics = statistics;
    optimizer->slots[index].steps->counter++;
    optimizer->update(&update);
}

static double largest(const float *values, size_t count)
{
    const Statistics s = statistics_of(variant_best(), values, count);
    return s.nonfinite ? INFINITY : fmax(fabs(s.min), fabs(s.max));
}

/* The slack takes in what is rounded, and sums of two such numbers on the way. */
static bool is_far_from_overflow(const UpdateBound *bound)
{
    const double limit = 1e37;
    bool is_far = bound->x < limit; /* false for NaN */
    for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
        is_far = is_far && bound->state[i] < limit;
    return is_far;
}

static void measure(Slot *slot, const Update *update)
{
    slot->bound = (UpdateBound){.x = largest(update->x, update->count)};
    for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
        slot->bound.state[i] = update->state[i] ? largest(update->state[i], update->count) : 0;
}

/* Carries the slot's bound over so many updates. */
static bool stays_finite(const OptimizerType *type, Slot *slot, const Update *update, double gradient_norm, int updates)
{
    UpdateBound bound = slot->bound;
    const double decay = type->decays_apart ? 0 : fabs(update->options->weight_decay);
    for (int i = 0; i < updates; i++)
        type->bound(update, gradient_norm + decay * bound.x, &bound);
    if (!is_far_from_overflow(&bound))
        return false;
    slot->bound = bound;
    return true;
}

static bool all_stay_finite(Optimizer *optimizer, double gradient_norm, double rate, int updates)
{
    bool are_finite = true;
    for (int i = 0; i < optimizer->count; i++) {
        Slot *slot = &optimizer->slots[i];
        Update update;
        if (!optimizer_next(optimizer, i, &update))
            continue;
        if (updates > 1)
            update.lr = rate;
        if (slot->is_bounded && stays_finite(optimizer->type, slot, &update, gradient_norm, updates))
            continue;
        measure(slot, &update);
        slot->is_bounded = stays_finite(optimizer->type, slot, &update, gradient_norm, updates);
        are_finite &= slot->is_bounded;
    }
    return are_finite;
}

bool optimizer_is_safe(Optimizer *optimizer, double gradient_norm)
{
    double rate = 0;
    for (int i = 0; i < optimizer->rate_count; i++)
        rate = fmax(rate, optimizer->rates[i]);
    if (optimizer->safe_updates > 0 && gradient_norm <= optimizer->safe_norm && rate <= optimizer->safe_rate) {
        optimizer->safe_updates--;
        return true;
    }
    optimizer->safe_norm = SAFE_FACTOR * gradient_norm;
    optimizer->safe_rate = SAFE_FACTOR * rate;
    bool is_safe = all_stay_finite(optimizer, optimizer->safe_norm, optimizer->safe_rate, SAFE_UPDATES);
    optimizer->safe_updates = is_safe ? SAFE_UPDATES - 1 : 0;
    return is_safe || all_stay_finite(optimizer, gradient_norm, rate, 1);
}

void optimizer_forget_bounds(Optimizer *optimizer)
{
    optimizer->safe_updates = 0;
    for (int i = 0; i < optimizer->count; i++)
        optimizer->slots[i].is_bounded = false;
}

const OptimizerType *optimizer_type(const Optimizer *optimizer)
{
    return optimizer->type;
}

double optimizer_base_lr(const Optimizer *optimizer)
{
    return optimizer->options.lr;
}

const char *optimizer_name(const Optimizer *optimizer)
{
    return optimizer->type->name;
}

size_t optimizer_bytes(const Optimizer *optimizer)
{
    return optimizer->bytes;
}

Parameter *const *optimizer_state(const Optimizer *optimizer, int *count)
{
    *count = optimizer->saved_count;
    return optimizer->saved;
}
