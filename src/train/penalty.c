/* A gradient has a gradient: the penalty is a few operators behind graph_gradient(). */
#include "train/penalty.h"

#include "autograd/ops.h"
#include "base/fields.h"
#include "base/random.h"

bool penalty_read(Arena *arena, Json *object, Penalty **penalty, Error *err)
{
    typedef struct Options {
        int type;
        Penalty penalty;
    } Options;
    static const char *const types[] = {"gradient", NULL};
    static const char *const places[] = {"data", "interpolate", NULL};
    static const Field fields[] = {
        {"type", FIELD_CHOICE, offsetof(Options, type), "\"gradient\"", .choices = types, .help = "what is penalised"},
        {"weight", FIELD_NUMBER, offsetof(Options, penalty.weight), "10", .help = "factor of the penalty"},
        {"target", FIELD_NUMBER, offsetof(Options, penalty.target), "1", .help = "the norm that costs nothing"},
        {"at", FIELD_CHOICE, offsetof(Options, penalty.at), "\"data\"", .choices = places,
         .help = "at the samples, or between real and fake ones"},
        {0}};
    *penalty = NULL;
    if (!object || object->type == JSON_NULL)
        return true;
    Options options = {0};
    if (!fields_read(arena, object, "the penalty", &(FieldSet){fields, &options}, 1, err))
        return false;
    *penalty = ARENA_NEW(arena, Penalty);
    **penalty = options.penalty;
    return true;
}

bool penalty_check(const Penalty *penalty, const Dataset *data, const Json *slot, Error *err)
{
    if (penalty->at != PENALTY_AT_INTERPOLATE)
        return true;
    size_t real = 0, fake = 0;
    if (shape_count(data->target) == 1)
        for (size_t i = 0; i < data->samples; i++) {
            real += data->targets[i] == 1;
            fake += data->targets[i] == -1;
        }
    if (real && fake && real + fake == data->samples)
        return true;
    error_at(err, slot, "interpolates lie between samples of target +1 and -1, and the data has other targets");
    return error_hint(err, "\"at\": \"data\" takes the gradient at the samples; data of type real_fake has such targets");
}

int penalty_rows(const Penalty *penalty, int batch)
{
    return penalty->at == PENALTY_AT_DATA ? batch : (batch + 1) / 2;
}

PenaltyNodes penalty_build(const Penalty *penalty, const Model *model, const LossScale *scale, const ModelNodes *nodes,
                           int batch)
{
    Graph *graph = nodes->output->graph;
    int rows = penalty_rows(penalty, batch);
    PenaltyNodes p = {.factor = graph_input(graph, "penalty factor", SHAPE_SCALAR)};
    Node *x = nodes->input, *output = nodes->output, *slope;
    if (penalty->at == PENALTY_AT_INTERPOLATE) {
        x = p.input = graph_input(graph, "interpolates", shape_prepend(rows, shape_rest(nodes->input->shape)));
        output = model_build_with(model, graph,
                                  &(ModelBuildOptions){.batch = rows,
                                                       .training = true,
                                                       .is_probe = nodes->is_probe,
                                                       .input = x,
                                                       .first = nodes,
                                                       .first_net = nodes->first_net})
                     .output;
    }
    graph_gradient(op_sum(output), scale->scale, &x, 1, NULL, 0, &slope);
    slope = loss_scale_remove(scale, slope);
    if (!slope) /* the output does not depend on the input */
        slope = op_zeros_like(x);
    Node *flat = op_reshape(slope, SHAPE(rows, (int)(shape_count(x->shape) / (size_t)rows)));
    Node *norm = op_root(op_sum_last(op_square(flat)));
    p.norm_sum = op_sum(norm);
    p.sum = op_sum(op_square(op_shift(norm, -penalty->target)));
    p.value = op_mul(p.sum, p.factor);
    return p;
}

/* The sample of the wanted sign that is number `pick` among them; any sample where there is none. */
static int sample_of_sign(const float *targets, int batch, bool real, const Random *random, uint64_t draw)
{
    int count = 0;
    for (int i = 0; i < batch; i++)
        count += (targets[i] > 0) == real;
    if (!count)
        return (int)random_below(random, draw, (uint64_t)batch);
    int pick = (int)random_below(random, draw, (uint64_t)count);
    for (int i = 0; i < batch; i++)
        if ((targets[i] > 0) == real && !pick--)
            return i;
    return 0;
}

void penalty_interpolate(const float *inputs, const float *targets, int batch, size_t size, int rows, uint64_t seed,
                         uint64_t run, float *into)
{
    Random random = random_stream(seed, RANDOM_PENALTY, run);
    for (int row = 0; row < rows; row++) {
        uint64_t draw = 8 * (uint64_t)row; /* blocks of the generator that nothing else of this run uses */
        const float *real = inputs + size * (size_t)sample_of_sign(targets, batch, true, &random, draw);
        const float *fake = inputs + size * (size_t)sample_of_sign(targets, batch, false, &random, draw + 1);
        float a = random_uniform_float(&random, 2 * draw + 8);
        for (size_t k = 0; k < size; k++)
            into[(size_t)row * size + k] = a * real[k] + (1 - a) * fake[k];
    }
}
