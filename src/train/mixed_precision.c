#include "train/mixed_precision.h"

#include <stddef.h>

#include "autograd/bfloat16_product.h"
#include "base/fields.h"

static const char *const types[] = {"float32", "bfloat16", "float16", NULL};
static const char *const products[] = {"auto", "emulated", NULL};
static const Precision precisions[] = {PRECISION_FLOAT32, PRECISION_BFLOAT16, PRECISION_FLOAT16};
static const char *const helps[] = {
    "everything in float32",
    "products and convolutions in bfloat16, weights and losses in float32, as torch.autocast has it",
    "the same in float16, with the gradient scaler",
};

typedef struct ScalerFields {
    ScalerOptions options;
    bool enabled;
} ScalerFields;

static const Field scaler_fields[] = {
    {"init_scale", FIELD_NUMBER, offsetof(ScalerFields, options.init_scale), "65536", .limit = FIELD_POSITIVE,
     .help = "of the first step's loss"},
    {"growth_factor", FIELD_NUMBER, offsetof(ScalerFields, options.growth_factor), "2", .limit = FIELD_POSITIVE,
     .help = "of the scale, after growth_interval finite steps"},
    {"backoff_factor", FIELD_NUMBER, offsetof(ScalerFields, options.backoff_factor), "0.5", .limit = FIELD_POSITIVE,
     .help = "of the scale, after a step that is not finite"},
    {"growth_interval", FIELD_INTEGER, offsetof(ScalerFields, options.growth_interval), "2000", .limit = FIELD_POSITIVE,
     .help = "finite steps in a row before the scale grows"},
    {"enabled", FIELD_BOOL, offsetof(ScalerFields, enabled), .help = "by default with float16 alone"},
    {0}};

static bool check_scaler(const Json *object, const ScalerOptions *options, Error *err)
{
    bool fine = true;
    if (!(options->growth_factor > 1))
        fine = error_at(err, json_member(object, "growth_factor"), "`growth_factor` must be above 1, got %g",
                        options->growth_factor);
    if (!(options->backoff_factor < 1))
        fine = error_at(err, json_member(object, "backoff_factor"), "`backoff_factor` must be below 1, got %g",
                        options->backoff_factor);
    if (!((float)options->init_scale > 0 && options->init_scale < 3.4e38))
        fine = error_at(err, json_member(object, "init_scale"), "`init_scale` must be a float32 above 0, got %g",
                        options->init_scale);
    return fine;
}

bool mixed_precision_read(Arena *arena, Json *object, MixedPrecision *precision, Error *err)
{
    typedef struct Options {
        int type, products;
        Json *scaler;
    } Options;
    static const Field fields[] = {
        {"type", FIELD_CHOICE, offsetof(Options, type), "\"float32\"", .choices = types, .help = "of products"},
        {"products", FIELD_CHOICE, offsetof(Options, products), "\"auto\"", .choices = products,
         .help = "of bfloat16: by the processor's own instruction where it has one, or the same bits everywhere"},
        {"scaler", FIELD_JSON, offsetof(Options, scaler), .help = "of gradients: scale, unscale, step or skip, update"},
        {0}};
    Options options = {0};
    if (!fields_read(arena, object, "the precision", &(FieldSet){fields, &options}, 1, err))
        return false;
    const bool is_float16 = precisions[options.type] == PRECISION_FLOAT16;
    *precision = (MixedPrecision){.type = precisions[options.type]};
    precision->has_bfloat16 = precision->type == PRECISION_BFLOAT16 && !options.products && bfloat16_product_is_available();
    if (!is_float16 && !options.scaler)
        return true;
    if (!options.scaler) {
        json_add_member(arena, object, "scaler", json_new(arena, JSON_OBJECT));
        options.scaler = json_member(object, "scaler");
    }
    ScalerFields scaler = {0};
    if (!fields_read(arena, options.scaler, "the scaler", &(FieldSet){scaler_fields, &scaler}, 1, err) ||
        !check_scaler(options.scaler, &scaler.options, err))
        return false;
    const Json *enabled = json_member(options.scaler, "enabled");
    if (!enabled || enabled->type == JSON_NULL) {
        Json *standard = json_new(arena, JSON_BOOL);
        standard->number = scaler.enabled = is_float16;
        json_add_member(arena, options.scaler, "enabled", standard);
    }
    precision->has_scaler = scaler.enabled;
    precision->scaler = scaler.options;
    return true;
}

const char *mixed_precision_products(const MixedPrecision *precision)
{
    if (!precision_is_half(precision->type))
        return NULL;
    return precision->has_bfloat16 ? "avx512_bf16" : "emulated";
}

bool mixed_precision_row(int index, const char **name, const char **help)
{
    if (!types[index])
        return false;
    *name = types[index];
    *help = helps[index];
    return true;
}
