#include "train/gan_config.h"

#include "base/fields.h"

typedef struct GanOptions {
    Json *net[GAN_NETS], *optimizer[GAN_NETS];
    int64_t critic_steps;
    int loss;
} GanOptions;

static const char *const net_names[] = {"generator", "critic"};
static const char *const optimizer_keys[] = {"generator_optimizer", "critic_optimizer"};
static const char *const loss_choices[] = {"wasserstein", "standard", NULL};

static const Field gan_fields[] = {
    {"generator", FIELD_JSON, offsetof(GanOptions, net[GAN_GENERATOR]), .required = true,
     .help = "a model or the path of a file: from normal noise to a sample"},
    {"critic", FIELD_JSON, offsetof(GanOptions, net[GAN_CRITIC]), .required = true,
     .help = "a model or the path of a file: from a sample to a score"},
    {"generator_optimizer", FIELD_JSON, offsetof(GanOptions, optimizer[GAN_GENERATOR]),
     .help = "by default the config's optimizer"},
    {"critic_optimizer", FIELD_JSON, offsetof(GanOptions, optimizer[GAN_CRITIC]), .help = "by default the config's optimizer"},
    {"critic_steps", FIELD_INTEGER, offsetof(GanOptions, critic_steps), "5", .limit = FIELD_NOT_NEGATIVE,
     .help = "updates of the critic in a step; 0: the generator learns alone"},
    {"loss", FIELD_CHOICE, offsetof(GanOptions, loss), "\"wasserstein\"", .choices = loss_choices,
     .help = "wasserstein, or standard: cross entropy, the generator's non-saturating"},
    {0}};

/* The nets' optimizers; those that the config gives them are copies, so that each is completed where it stands. */
static void read_optimizers(Arena *arena, Config *config, Json *object, const GanOptions *options, Json *optimizer, Error *err)
{
    const Model *model = config->model;
    int errors = error_count(err);
    optimizer_new(arena, optimizer, NULL, 0, err); /* it must be right even where both nets have their own */
    for (int i = 0; i < GAN_NETS && error_count(err) == errors; i++) {
        const ModelNet *net = model ? &model->net[i] : NULL;
        if (!options->optimizer[i])
            json_add_member(arena, object, optimizer_keys[i], json_copy(arena, optimizer));
        Optimizer *made = optimizer_new(arena, json_member(object, optimizer_keys[i]),
                                        net ? model->parameter + net->parameter : NULL, net ? net->parameters : 0, err);
        *(i == GAN_GENERATOR ? &config->gan->generator_optimizer : &config->optimizer) = made;
    }
}

bool gan_read(Arena *arena, Config *config, Json *object, Json *optimizer, Error *err)
{
    static const char *const losses[] = {"wasserstein", "bce_with_logits"};
    static const float fakes[] = {-1, 0};
    GanOptions options = {0};
    if (!fields_read(arena, object, "the GAN", &(FieldSet){gan_fields, &options}, 1, err))
        return false;
    int errors = error_count(err);
    config->gan = ARENA_NEW(arena, Gan);
    *config->gan = (Gan){.critic_steps = options.critic_steps, .real = 1, .fake = fakes[options.loss]};
    config->model = model_read_nets(arena, net_names, options.net, GAN_NETS, err);
    config->loss = loss_read(arena, json_new_string(arena, losses[options.loss]), err);
    if (config->model)
        config->targets = (Targets){.shape = config->model->output};
    read_optimizers(arena, config, object, &options, optimizer, err);
    return error_count(err) == errors;
}

bool gan_check(const Config *config, const Json *root, Arena *scratch, Error *err)
{
    const ModelNet *critic = &config->model->net[GAN_CRITIC];
    const Dataset *data = &config->data.training;
    const Json *train = json_member(root, "train"),
               *place = json_member(json_member(json_member(root, "gan"), net_names[GAN_CRITIC]), "input");
    bool fine = true;
    if (data->tokens) {
        fine = error_at(err, json_member(root, "data"), "a GAN's data are numbers, these are tokens");
    } else if (!shape_equal(critic->input, data->input)) {
        fine = error_at(err, place, "the critic takes samples of %s, the data gives %s", shape_text(scratch, critic->input),
                        shape_text(scratch, data->input));
        error_hint(err, "generator's output, critic's `input` and data must have one shape");
    }
    if (config->data.validation.samples) {
        fine = error_at(err, json_member(json_member(root, "data"), "validation"),
                        "a GAN is not evaluated, so that these samples would be lost");
        error_hint(err, "leave `validation` out");
    }
    if (config->train.accumulate > 1)
        fine = error_at(err, json_member(train, "accumulate"), "a GAN's steps do not accumulate: `accumulate` must be 1");
    if (config->train.memory_limit) {
        fine = error_at(err, json_member(train, "memory_limit"), "layers of a GAN are not chosen for recomputation");
        error_hint(err, "a block with \"checkpoint\": true is recomputed");
    }
    return fine;
}
