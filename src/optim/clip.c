#include "optim/clip.h"

#include <math.h>

#include "tensor/statistics.h"

typedef enum ClipType { CLIP_NORM, CLIP_VALUE, CLIP_ADAPTIVE, CLIP_NONE } ClipType;
enum { UNIT_ROW, UNIT_WHOLE };

struct Clip {
    int type, unit;
    double max_norm, norm_type, limit, ratio, eps;
    bool per_layer;
    int count;
    Variant variant;
    ClampKernel *clamp;
    ClipResult result;
    double *norms; /* one for each parameter */
};

static ClampKernel *const clamp_table[VARIANT_COUNT] = FLOAT_KERNEL_TABLE(clip_clamp);

static const char *const type_names[] = {"norm", "value", "adaptive", NULL};
static const char *const unit_names[] = {"row", "whole", NULL};

static const Field common_fields[] = {
    {.name = "type",
     .type = FIELD_CHOICE,
     .offset = offsetof(Clip, type),
     .required = true,
     .choices = type_names,
     .help = "norm, value, adaptive"},
    {.name = "per_layer",
     .type = FIELD_BOOL,
     .offset = offsetof(Clip, per_layer),
     .standard = "false",
     .help = "each parameter by itself"},
    {.name = NULL},
};

static const Field norm_fields[] = {
    {.name = "max_norm",
     .type = FIELD_NUMBER,
     .offset = offsetof(Clip, max_norm),
     .required = true,
     .limit = FIELD_POSITIVE,
     .help = "largest norm that is left alone"},
    {.name = "norm_type",
     .type = FIELD_NUMBER,
     .offset = offsetof(Clip, norm_type),
     .standard = "2",
     .limit = FIELD_ANY_OR_INFINITE,
     .help = "order of the norm: 1, 2, ... or \"inf\""},
    {.name = NULL},
};

static const Field value_fields[] = {
    {.name = "limit",
     .type = FIELD_NUMBER,
     .offset = offsetof(Clip, limit),
     .required = true,
     .limit = FIELD_POSITIVE,
     .help = "largest absolute value"},
    {.name = NULL},
};

static const Field adaptive_fields[] = {
    {.name = "ratio",
     .type = FIELD_NUMBER,
     .offset = offsetof(Clip, ratio),
     .required = true,
     .limit = FIELD_POSITIVE,
     .help = "largest gradient norm over weight norm"},
    {.name = "unit",
     .type = FIELD_CHOICE,
     .offset = offsetof(Clip, unit),
     .standard = "\"row\"",
     .choices = unit_names,
     .help = "what has a norm: a row or output channel, or the whole parameter"},
    {.name = "eps",
     .type = FIELD_NUMBER,
     .offset = offsetof(Clip, eps),
     .standard = "0.001",
     .limit = FIELD_POSITIVE,
     .help = "weight norms are at least this"},
    {.name = NULL},
};

static bool read_clip(Arena *arena, Clip *clip, Json *object, Error *err)
{
    static const Field *const fields_of[] = {norm_fields, value_fields, adaptive_fields};
    const Json *type = json_member(object, "type");
    if (type) {
        clip->type = fields_choose(type, "clip type", type_names, err);
        if (clip->type < 0)
            return false;
    }
    const FieldSet sets[] = {{common_fields, clip}, {fields_of[clip->type], clip}};
    if (!fields_read(arena, object, "the clip", sets, 2, err))
        return false;
    const Json *order = json_member(object, "norm_type");
    if (order && !(clip->norm_type > 0))
        return error_at(err, order, "norm_type must be above 0, got %g", clip->norm_type);
    return true;
}

Clip *clip_new(Arena *arena, Json *object, int count, Error *err)
{
    Clip *clip = ARENA_NEW(arena, Clip);
    clip->norm_type = 2;
    if (!object || object->type == JSON_NULL)
        clip->type = CLIP_NONE;
    else if (!read_clip(arena, clip, object, err))
        return NULL;
    clip->count = count;
    clip->variant = variant_best();
    clip->clamp = clamp_table[clip->variant];
    clip->result.parameter = ARENA_ARRAY(arena, ClipChange, count + 1);
    clip->result.factor = ARENA_ARRAY(arena, double, count + 1);
    clip->norms = ARENA_ARRAY(arena, double, count + 1);
    return clip;
}

static double absolute_sum(const float *x, size_t n)
{
    enum { PARTS = 8 };
    double part[PARTS] = {0}, sum = 0;
    for (size_t i = 0; i + PARTS <= n; i += PARTS)
        for (int lane = 0; lane < PARTS; lane++)
            part[lane] += (double)fabsf(x[i + (size_t)lane]);
    for (size_t i = n - n % PARTS; i < n; i++)
        sum += (double)fabsf(x[i]);
    for (int lane = 0; lane < PARTS; lane++)
        sum += part[lane];
    return sum;
}

/* The norm of one gradient. Powers are of values over the largest, so that none leaves the range of double. */
static double norm_of(const Clip *clip, const float *x, size_t n, double square)
{
    if (clip->norm_type == 2)
        return sqrt(square);
    if (clip->norm_type == 1)
        return absolute_sum(x, n);
    Statistics s = statistics_of(clip->variant, x, n);
    double largest = n > 0 ? fmax(s.max, -s.min) : 0;
    if (isinf(clip->norm_type) || largest == 0 || !isfinite(largest))
        return largest;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow(fabs((double)x[i]) / largest, clip->norm_type);
    return largest * pow(sum, 1 / clip->norm_type);
}

/* The norm of the norms, which is the norm of all values together. */
static double norm_of_norms(const Clip *clip)
{
    double largest = 0, sum = 0;
    for (int i = 0; i < clip->count; i++)
        largest = isnan(clip->norms[i]) || clip->norms[i] > largest ? clip->norms[i] : largest;
    if (isinf(clip->norm_type) || largest == 0 || !isfinite(largest))
        return largest;
    for (int i = 0; i < clip->count; i++)
        sum += pow(clip->norms[i] / largest, clip->norm_type);
    return largest * pow(sum, 1 / clip->norm_type);
}

/* NaN, when the norm is. */
static double norm_coefficient(double max_norm, double norm)
{
    double coefficient = max_norm / (norm + 1e-6);
    return coefficient > 1 ? 1 : coefficient;
}

static ClipChange change_by(double before, double coefficient)
{
    return (ClipChange){
        .changed = coefficient != 1, .before = before, .after = before * coefficient, .coefficient = coefficient};
}

static ClipChange change_between(bool changed, double before, double after)
{
    return (ClipChange){
        .changed = changed, .before = before, .after = after, .coefficient = changed && before != 0 ? after / before : 1};
}

static void clip_norms(Clip *clip, Parameter *const parameters[], float *const gradients[], const double squares[])
{
    ClipResult *result = &clip->result;
    for (int i = 0; i < clip->count; i++)
        clip->norms[i] = gradients[i] ? norm_of(clip, gradients[i], shape_count(parameters[i]->shape), squares[i]) : 0;
    double before = norm_of_norms(clip), coefficient = norm_coefficient(clip->max_norm, before), square_after = 0;
    bool changed = false;
    for (int i = 0; i < clip->count; i++) {
        if (!gradients[i])
            continue;
        double own = clip->per_layer ? norm_coefficient(clip->max_norm, clip->norms[i]) : coefficient;
        result->parameter[i] = change_by(clip->norms[i], own);
        result->factor[i] = own;
        clip->norms[i] = result->parameter[i].after;
        square_after += squares[i] * own * own;
        changed = changed || own != 1;
    }
    result->clipped_norm = sqrt(square_after);
    result->total = clip->per_layer ? change_between(changed, before, norm_of_norms(clip)) : change_by(before, coefficient);
}

/* Clips the n numbers of one unit; returns whether it did. */
static bool clip_unit(const Clip *clip, const float *weights, float *gradient, size_t n)
{
    double weight_norm = sqrt(statistics_square_sum(clip->variant, weights, NULL, n));
    double norm = sqrt(statistics_square_sum(clip->variant, gradient, NULL, n));
    double limit = clip->ratio * fmax(weight_norm, clip->eps);
    if (!(norm > limit))
        return false;
    float coefficient = (float)(limit / fmax(norm, 1e-6));
    for (size_t i = 0; i < n; i++)
        gradient[i] *= coefficient;
    return true;
}

static bool clip_adaptively(const Clip *clip, const Parameter *parameter, float *gradient)
{
    size_t count = shape_count(parameter->shape);
    size_t units = parameter->shape.rank > 1 && clip->unit == UNIT_ROW ? (size_t)parameter->shape.dim[0] : 1;
    size_t size = units > 0 ? count / units : 0;
    bool changed = false;
    for (size_t unit = 0; unit < units; unit++)
        if (clip_unit(clip, parameter->data + unit * size, gradient + unit * size, size))
            changed = true;
    return changed;
}

/* Types that change the gradients themselves. */
static void clip_in_place(Clip *clip, Parameter *const parameters[], float *const gradients[], const double squares[])
{
    ClipResult *result = &clip->result;
    double before = 0, after = 0;
    bool any = false;
    for (int i = 0; i < clip->count; i++) {
        if (!gradients[i])
            continue;
        size_t count = shape_count(parameters[i]->shape);
        bool changed = false;
        if (clip->type == CLIP_VALUE)
            changed = clip->clamp(gradients[i], count, (float)clip->limit) > 0;
        else if (clip->type == CLIP_ADAPTIVE)
            changed = clip_adaptively(clip, parameters[i], gradients[i]);
        double square = changed ? statistics_square_sum(clip->variant, gradients[i], NULL, count) : squares[i];
        result->parameter[i] = change_between(changed, sqrt(squares[i]), sqrt(square));
        before += squares[i];
        after += square;
        any = any || changed;
    }
    result->clipped_norm = sqrt(after);
    result->total = change_between(any, sqrt(before), sqrt(after));
}

const ClipResult *clip_apply(Clip *clip, Parameter *const parameters[], float *const gradients[], const double squares[])
{
    for (int i = 0; i < clip->count; i++) {
        clip->result.parameter[i] = (ClipChange){.coefficient = 1};
        clip->result.factor[i] = 1;
    }
    if (clip->type == CLIP_NORM)
        clip_norms(clip, parameters, gradients, squares);
    else
        clip_in_place(clip, parameters, gradients, squares);
    return &clip->result;
}

const char *clip_type(const Clip *clip)
{
    return clip->type == CLIP_NONE ? NULL : type_names[clip->type];
}

bool clip_is_per_layer(const Clip *clip)
{
    return clip->per_layer;
}
