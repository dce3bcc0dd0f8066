/* Initial weights: Glorot & Bengio 2010 (xavier), He et al. 2015 (kaiming), Saxe et al. 2014 (orthogonal). */
#include "nn/init.h"

#include <math.h>
#include <stddef.h>

#include "base/fields.h"
#include "base/random.h"

const char *const init_names[] = {"default",         "zeros",          "ones",           "constant",
                                  "normal",          "uniform",        "xavier_uniform", "xavier_normal",
                                  "kaiming_uniform", "kaiming_normal", "orthogonal",     NULL};

const char *const init_help[] = {
    "what PyTorch does for the layer",
    "all zero",
    "all one",
    "all `value`",
    "normal with `mean` 0 and `std` 1",
    "uniform from `low` 0 to `high` 1",
    "uniform, variance 2 / (fan_in + fan_out), times `gain`",
    "normal, variance 2 / (fan_in + fan_out), times `gain`",
    "uniform, variance gain^2 / fan: `nonlinearity`, `mode` fan_in or fan_out, `a`",
    "normal, variance gain^2 / fan: `nonlinearity`, `mode` fan_in or fan_out, `a`",
    "orthogonal rows or columns, times `gain`",
};

static const char *const nonlinearities[] = {"leaky_relu", "relu", "linear", "tanh", "sigmoid", "selu", NULL};
static const char *const modes[] = {"fan_in", "fan_out", NULL};

static const Field value_fields[] = {{"value", FIELD_NUMBER, offsetof(Init, value), .required = true, .help = "every element"},
                                     {0}};
static const Field normal_fields[] = {
    {"mean", FIELD_NUMBER, offsetof(Init, mean), "0", .help = "mean"},
    {"std", FIELD_NUMBER, offsetof(Init, std), "1", .limit = FIELD_NOT_NEGATIVE, .help = "standard deviation"},
    {0}};
static const Field uniform_fields[] = {{"low", FIELD_NUMBER, offsetof(Init, low), "0", .help = "lower end"},
                                       {"high", FIELD_NUMBER, offsetof(Init, high), "1", .help = "upper end"},
                                       {0}};
static const Field gain_fields[] = {{"gain", FIELD_NUMBER, offsetof(Init, gain), "1", .help = "factor"}, {0}};
static const Field kaiming_fields[] = {{"nonlinearity", FIELD_CHOICE, offsetof(Init, nonlinearity), "\"leaky_relu\"",
                                        .choices = nonlinearities, .help = "what follows the layer"},
                                       {"mode", FIELD_CHOICE, offsetof(Init, mode), "\"fan_in\"", .choices = modes,
                                        .help = "which variance is kept: forward or backward"},
                                       {"a", FIELD_NUMBER, offsetof(Init, slope), "0", .help = "slope of leaky_relu"},
                                       {0}};
static const Field no_fields[] = {{0}};

static const Field *fields_of(InitKind kind)
{
    switch (kind) {
    case INIT_CONSTANT:
        return value_fields;
    case INIT_NORMAL:
        return normal_fields;
    case INIT_UNIFORM:
        return uniform_fields;
    case INIT_XAVIER_UNIFORM:
    case INIT_XAVIER_NORMAL:
    case INIT_ORTHOGONAL:
        return gain_fields;
    case INIT_KAIMING_UNIFORM:
    case INIT_KAIMING_NORMAL:
        return kaiming_fields;
    default:
        return no_fields;
    }
}

bool init_read(Arena *arena, Json *value, Init *init, Error *err)
{
    *init = (Init){.gain = 1, .std = 1, .high = 1};
    if (value->type != JSON_OBJECT) {
        int kind = fields_choose(value, "init", init_names, err);
        if (kind < 0)
            return false;
        init->kind = (InitKind)kind;
        if (kind == INIT_CONSTANT)
            return error_at(err, value, "init constant needs a value: {\"type\": \"constant\", \"value\": 0.1}");
        return true;
    }
    const char *type = NULL;
    static const Field type_fields[] = {{"type", FIELD_STRING, 0, .required = true, .help = "an init's name"}, {0}};
    const Json *name = json_member(value, "type");
    int kind = name ? fields_choose(name, "init", init_names, err) : INIT_DEFAULT;
    if (kind < 0)
        return false;
    init->kind = (InitKind)kind;
    const FieldSet sets[] = {{type_fields, &type}, {fields_of(init->kind), init}};
    return fields_read(arena, value, "init", sets, 2, err);
}

/* torch.nn.init.calculate_gain */
static double gain_of(const Init *init)
{
    static const double gains[] = {0, 1.4142135623730951, 1, 5.0 / 3, 1, 0.75};
    return init->nonlinearity ? gains[init->nonlinearity] : sqrt(2 / (1 + init->slope * init->slope));
}

static void fill_uniform(Parameter *p, Random random, double low, double high)
{
    size_t n = shape_count(p->shape);
    for (size_t i = 0; i < n; i++)
        p->data[i] = (float)(low + (high - low) * random_uniform(&random, i));
}

static void fill_normal(Parameter *p, Random random, double mean, double std)
{
    size_t n = shape_count(p->shape);
    for (size_t i = 0; i < n; i++)
        p->data[i] = (float)(mean + std * random_normal(&random, i));
}

/* Gram-Schmidt, twice for accuracy, over the rows (or columns, where fewer) of a normal matrix. */
static void fill_orthogonal(float *data, size_t rows, size_t columns, Random random, uint64_t first, double gain,
                            Arena *scratch)
{
    size_t vectors = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    double *q = ARENA_ARRAY(scratch, double, vectors *length);
    for (size_t i = 0; i < vectors * length; i++)
        q[i] = random_normal(&random, first + i);
    for (size_t v = 0; v < vectors; v++) {
        double *row = q + v * length;
        for (int pass = 0; pass < 2; pass++)
            for (size_t u = 0; u < v; u++) {
                double dot = 0;
                for (size_t i = 0; i < length; i++)
                    dot += row[i] * q[u * length + i];
                for (size_t i = 0; i < length; i++)
                    row[i] -= dot * q[u * length + i];
            }
        double square = 0;
        for (size_t i = 0; i < length; i++)
            square += row[i] * row[i];
        for (size_t i = 0; i < length; i++)
            row[i] /= sqrt(square);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            data[r * columns + c] = (float)(gain * (rows < columns ? q[r * length + c] : q[c * length + r]));
}

void init_apply(const Init *init, Parameter *p, Fan fan, uint64_t seed, Arena *scratch)
{
    Random random = random_stream(seed, RANDOM_INIT, random_hash(p->name));
    double fan_in = fan.in, fan_out = fan.out;
    double kaiming = gain_of(init) / sqrt(init->mode ? fan_out : fan_in);
    switch (init->kind) {
    case INIT_DEFAULT:
    case INIT_ZEROS:
        fill_uniform(p, random, 0, 0);
        break;
    case INIT_ONES:
        fill_uniform(p, random, 1, 1);
        break;
    case INIT_CONSTANT:
        fill_uniform(p, random, init->value, init->value);
        break;
    case INIT_NORMAL:
        fill_normal(p, random, init->mean, init->std);
        break;
    case INIT_UNIFORM:
        fill_uniform(p, random, init->low, init->high);
        break;
    case INIT_XAVIER_UNIFORM: {
        double bound = init->gain * sqrt(6 / (fan_in + fan_out));
        fill_uniform(p, random, -bound, bound);
        break;
    }
    case INIT_XAVIER_NORMAL:
        fill_normal(p, random, 0, init->gain * sqrt(2 / (fan_in + fan_out)));
        break;
    case INIT_KAIMING_UNIFORM:
        fill_uniform(p, random, -sqrt(3) * kaiming, sqrt(3) * kaiming);
        break;
    case INIT_KAIMING_NORMAL:
        fill_normal(p, random, 0, kaiming);
        break;
    case INIT_ORTHOGONAL: {
        int parts = fan.parts > 0 ? fan.parts : 1;
        size_t n = shape_count(p->shape) / (size_t)parts, rows = (size_t)(p->shape.rank ? p->shape.dim[0] : 1) / (size_t)parts;
        for (int part = 0; part < parts; part++)
            fill_orthogonal(p->data + (size_t)part * n, rows, n / rows, random, (uint64_t)part * n, init->gain, scratch);
        break;
    }
    }
}
