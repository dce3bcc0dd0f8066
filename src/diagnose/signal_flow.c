/* Layer by layer forward, then the gradient back. Formulas: linear layers He et al. 2015, equations 10 and 14; activations
 * Schoenholz et al. 2017, equations 3 and 5; batch normalisation Yang et al. 2019, "A mean field theory of batch
 * normalization", which has the deviation over samples alone removed: that is why what samples share is followed. */
#include "diagnose/signal_flow.h"

#include <math.h>
#include <string.h>

#include "tensor/statistics.h"

typedef struct Builder {
    Arena *arena;
    SignalFlow *flow;
    int capacity;
    bool follows_shared;
} Builder;

static Signal *at(const Builder *b, int index)
{
    return &b->flow->signal[index];
}

/* A signal that is like its first input. */
static int append(Builder *b, const Layer *layer, SignalRole role, const int in[], int inputs, double count)
{
    SignalFlow *flow = b->flow;
    if (flow->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        flow->signal =
            arena_grow(b->arena, flow->signal, sizeof(Signal) * (size_t)flow->count, sizeof(Signal) * (size_t)b->capacity);
    }
    Signal *s = &flow->signal[flow->count];
    *s = (Signal){.layer = layer, .role = role, .inputs = inputs, .count = count};
    for (int i = 0; i < inputs; i++) {
        s->in[i] = in[i];
        s->is_unknown |= at(b, in[i])->is_unknown;
    }
    if (inputs) {
        s->mean = at(b, in[0])->mean;
        s->square = at(b, in[0])->square;
        s->shared = at(b, in[0])->shared;
    }
    return flow->count++;
}

static Statistics statistics_of_parameter(const Parameter *p)
{
    return statistics_of(VARIANT_F32, p->data, shape_count(p->shape));
}

static double mean_square(const Statistics *s)
{
    return s->square / (double)s->count;
}

/* The layer's parameter whose name ends with `.what`, or NULL. */
static const Parameter *parameter_of(const Layer *layer, const char *what)
{
    for (int i = 0; i < layer->owns; i++) {
        const char *dot = strrchr(layer->own[i].parameter->name, '.');
        if (dot && !strcmp(dot + 1, what))
            return layer->own[i].parameter;
    }
    return NULL;
}

/* An option as it stands in the completed JSON. */
static double number_option(const Layer *layer, const char *key)
{
    const Json *value = json_member(layer->json, key);
    return value && value->type == JSON_NUMBER ? value->number : 0;
}

/* One of an option that is a number or [height, width]; `otherwise` where it is absent. */
static int axis_option(const Layer *layer, const char *key, int axis, int otherwise)
{
    const Json *value = json_member(layer->json, key);
    if (value && value->type == JSON_ARRAY)
        value = json_item(value, axis);
    return value && value->type == JSON_NUMBER ? (int)value->number : otherwise;
}

/* Of a window over an image: how many pairs of an output and a kernel element meet an input, not the padding. */
static double pairs_inside(const Layer *layer, int axis, int kernel, int stride)
{
    const int size = layer->in[0].dim[axis + 1], outputs = layer->output.dim[axis + 1];
    const int dilation = axis_option(layer, "dilation", axis, 1);
    const int before = axis_option(layer, "padding", axis, dilation * (kernel - 1) / 2); /* that of "same" */
    double pairs = 0;
    for (int o = 0; o < outputs; o++)
        for (int k = 0; k < kernel; k++) {
            const int place = o * stride - before + k * dilation;
            pairs += place >= 0 && place < size;
        }
    return pairs;
}

/* Connections of a sample, each of which has a weight: linear and conv2d. */
static double connections(const Layer *layer, const Parameter *weight)
{
    const Shape shape = weight->shape;
    if (shape.rank == 2)
        return (double)shape_count(layer->output) * shape.dim[1];
    double pairs = (double)shape.dim[0] * shape.dim[1];
    for (int axis = 0; axis < 2; axis++)
        pairs *= pairs_inside(layer, axis, shape.dim[axis + 2], axis_option(layer, "stride", axis, 1));
    return pairs;
}

static void pass_weights(Signal *y, const Signal *x)
{
    const Parameter *weight = parameter_of(y->layer, "weight"), *bias = parameter_of(y->layer, "bias");
    const Statistics weights = statistics_of_parameter(weight);
    const double variance = mean_square(&weights), pairs = connections(y->layer, weight);
    y->fan_in = (double)shape_count(weight->shape) / weight->shape.dim[0];
    y->weight_variance = variance * y->fan_in;
    if (bias) {
        const Statistics biases = statistics_of_parameter(bias);
        y->bias_mean = statistics_mean(&biases);
        y->bias_variance = mean_square(&biases);
    }
    y->mean = y->bias_mean;
    y->square = fmin(variance * pairs / y->count * x->square + y->bias_variance, 1e300);
    y->shared = fmin(variance * pairs / y->count * x->shared + y->bias_variance, 1e300);
    y->log_factor[0] = log(variance * pairs / x->count);
}

static double deviation_of(const Signal *x)
{
    return sqrt(fmax(x->square - x->mean * x->mean, 0));
}

static double correlation_of(const Signal *x)
{
    const double variance = x->square - x->mean * x->mean;
    return variance > 0 ? fmax(0, fmin(1, (x->shared - x->mean * x->mean) / variance)) : 0;
}

static void pass_activation(const Builder *b, Signal *y, const Signal *x, const MeanFieldFunction *function)
{
    const double slope = number_option(y->layer, "slope");
    y->moments = mean_field_moments(function, slope, x->mean, deviation_of(x), 1);
    y->mean = y->moments.mean;
    y->square = y->moments.square;
    y->shared = b->follows_shared ? mean_field_product(function, slope, x->mean, deviation_of(x), correlation_of(x)) : 0;
    y->log_factor[0] = log(y->moments.slope_2);
}

/* What is subtracted and divided by, then gain and shift. */
static void pass_norm(Signal *y, const Signal *x)
{
    const LayerType *type = y->layer->type;
    const Parameter *weight = parameter_of(y->layer, "weight"), *bias = parameter_of(y->layer, "bias");
    const Statistics gains = weight ? statistics_of_parameter(weight) : statistics_empty(),
                     shifts = bias ? statistics_of_parameter(bias) : statistics_empty();
    const double gain_2 = weight ? mean_square(&gains) : 1, shift_2 = bias ? mean_square(&shifts) : 0;
    const double shift = bias ? statistics_mean(&shifts) : 0;
    const double removed = type == &layer_batchnorm ? x->shared : type == &layer_rmsnorm ? 0 : x->mean * x->mean;
    const double variance = fmax(x->square - removed, 0) + number_option(y->layer, "eps");
    const double scale = variance > 0 ? gain_2 / variance : 0;
    y->mean = type == &layer_rmsnorm ? x->mean * sqrt(scale) : shift;
    y->square = fmax(x->square - removed, 0) * scale + shift_2;
    y->shared = fmax(x->shared - removed, 0) * scale + shift_2;
    y->log_factor[0] = log(scale);
}

/* The largest of a window gets all of its gradient. An activation before it grows with its input, so that the one with the
 * largest input is taken: a relu there is 0 only where all of the window are. */
static void pass_maxpool(const Builder *b, Signal *y)
{
    Signal *x = at(b, y->in[0]), *u = x->role == SIGNAL_ACTIVATION ? at(b, x->in[0]) : x;
    const int window = axis_option(y->layer, "kernel", 0, 1) * axis_option(y->layer, "kernel", 1, 1);
    const MeanFieldFunction *function = mean_field_function(x == u ? "" : x->layer->type->name);
    const double slope = x == u ? 0 : number_option(x->layer, "slope"), correlation = correlation_of(x);
    const MeanFieldMoments largest = mean_field_moments(function, slope, u->mean, deviation_of(u), window);
    y->mean = largest.mean;
    y->square = largest.square;
    y->shared = y->mean * y->mean + correlation * fmax(0, y->square - y->mean * y->mean);
    y->log_factor[0] = log(y->count / x->count);
    if (x != u)
        x->log_factor[0] = log(largest.slope_2);
}

/* The mean of `window` numbers, which have in common what samples share. */
static void pass_average(Signal *y, const Signal *x, double window)
{
    y->square = x->shared + fmax(0, x->square - x->shared) / window;
    y->log_factor[0] = log(y->count / x->count / window);
}

static void pass_dropout(Signal *y, const Signal *x)
{
    const double kept = 1 - number_option(y->layer, "p");
    y->square = kept > 0 ? x->square / kept : 0;
    y->mean = kept > 0 ? x->mean : 0;
    y->shared = kept > 0 ? x->shared : 0;
    y->log_factor[0] = -log(kept);
    if (!(kept > 0))
        y->log_factor[0] = -INFINITY;
}

/* Tables of vectors: of tokens, which are all there is of the input; or of positions, added to it. */
static void pass_table(Signal *y)
{
    const Parameter *table = y->layer->own[0].parameter;
    const Statistics all = statistics_of_parameter(table);
    if (y->layer->type == &layer_positions) { /* the same for every sample */
        y->square += mean_square(&all) + 2 * y->mean * statistics_mean(&all);
        y->shared += mean_square(&all) + 2 * y->mean * statistics_mean(&all);
        y->mean += statistics_mean(&all);
        return;
    }
    const int rows = table->shape.dim[0], width = table->shape.dim[1];
    y->mean = statistics_mean(&all);
    y->square = mean_square(&all);
    y->shared = 0;
    for (int k = 0; k < width; k++) {
        double sum = 0;
        for (int i = 0; i < rows; i++)
            sum += (double)table->data[(size_t)i * (size_t)width + (size_t)k];
        y->shared += sum / rows * (sum / rows) / width;
    }
    y->log_factor[0] = -INFINITY;
}

static void pass_sum(const Builder *b, Signal *y)
{
    y->mean = y->square = y->shared = 0;
    for (int i = 0; i < y->inputs; i++) {
        const Signal *x = at(b, y->in[i]);
        y->square += x->square + 2 * y->mean * x->mean;
        y->shared += x->shared + 2 * y->mean * x->mean;
        y->mean += x->mean;
        y->log_factor[i] = log(y->count / x->count);
    }
}

static void pass_product(const Builder *b, Signal *y)
{
    y->mean = y->square = y->shared = 1;
    for (int i = 0; i < y->inputs; i++) {
        const Signal *x = at(b, y->in[i]);
        y->mean *= x->mean;
        y->square *= x->square;
        y->shared *= x->shared;
    }
    for (int i = 0; i < y->inputs; i++)
        y->log_factor[i] = log(y->square / at(b, y->in[i])->square * y->count / at(b, y->in[i])->count);
}

static void pass_concat(const Builder *b, Signal *y)
{
    y->mean = y->square = y->shared = 0;
    for (int i = 0; i < y->inputs; i++) {
        const Signal *x = at(b, y->in[i]);
        const double share = x->count / y->count;
        y->mean += share * x->mean;
        y->square += share * x->square;
        y->shared += share * x->shared;
    }
}

/* Types whose single input goes on as it is, or reduced. False: the type is another. */
static bool pass_on(const Builder *b, Signal *y)
{
    const LayerType *type = y->layer->type;
    const Signal *x = at(b, y->in[0]);
    y->role = SIGNAL_PASS;
    if (type == &layer_flatten || type == &layer_reshape || type == &layer_transpose)
        return true;
    if (type == &layer_dropout)
        pass_dropout(y, x);
    else if (type == &layer_maxpool2d)
        pass_maxpool(b, y);
    else if (type == &layer_avgpool2d)
        pass_average(y, x, axis_option(y->layer, "kernel", 0, 1) * axis_option(y->layer, "kernel", 1, 1));
    else if (type == &layer_globalavgpool2d || type == &layer_mean)
        pass_average(y, x, x->count / y->count);
    else if (type == &layer_last)
        y->log_factor[0] = log(y->count / x->count);
    else if (type == &layer_detach)
        y->log_factor[0] = -INFINITY;
    else
        return false;
    return true;
}

static bool is_norm(const LayerType *type)
{
    return type == &layer_batchnorm || type == &layer_layernorm || type == &layer_rmsnorm || type == &layer_groupnorm;
}

/* What of the layer theory does not cover. */
static const char *unknown_kind(const LayerType *type)
{
    if (type == &layer_rnn || type == &layer_lstm || type == &layer_gru)
        return "a recurrent layer, whose gradient flows over time";
    if (type == &layer_function)
        return "an expression";
    return type == &layer_attention ? "attention" : "not an element-by-element function of normal numbers";
}

static void pass_layer(Builder *b, Signal *y)
{
    const LayerType *type = y->layer->type;
    const MeanFieldFunction *function = mean_field_function(type->name);
    const Signal *x = at(b, y->in[0]);
    if (type == &layer_linear || type == &layer_conv2d) {
        y->role = SIGNAL_WEIGHTS;
        pass_weights(y, x);
    } else if (function) {
        y->role = SIGNAL_ACTIVATION;
        pass_activation(b, y, x, function);
    } else if (is_norm(type)) {
        y->role = SIGNAL_NORM;
        pass_norm(y, x);
    } else if (!pass_on(b, y)) {
        y->role = SIGNAL_OTHER;
        if (type == &layer_embedding || type == &layer_positions)
            pass_table(y);
        else if (type == &layer_add)
            pass_sum(b, y);
        else if (type == &layer_multiply)
            pass_product(b, y);
        else if (type == &layer_concat)
            pass_concat(b, y);
        else
            y->is_unknown = true;
    }
}

/* The first thing that is not covered and that a layer with weights follows from. */
static void explain_unknown(Builder *b, int index)
{
    const Signal *s = at(b, index);
    while (s->inputs && at(b, s->in[0])->is_unknown)
        s = at(b, s->in[0]);
    for (int i = 1; i < s->inputs; i++)
        if (at(b, s->in[i])->is_unknown) {
            explain_unknown(b, s->in[i]);
            return;
        }
    b->flow->unknown = arena_printf(b->arena, "`%s` is %s", s->layer->path, unknown_kind(s->layer->type));
}

static int follow_list(Builder *b, const LayerList *list, int input);

/* A container, or a layer of its own. Returns the signal of its output. */
static int follow_layer(Builder *b, const Layer *layer, const int in[])
{
    const double count = (double)shape_count(layer->output);
    if (layer->type == &layer_residual) {
        const int branch = follow_list(b, &layer->list, in[0]);
        const int both[2] = {branch, layer->shortcut.count ? follow_list(b, &layer->shortcut, in[0]) : in[0]};
        const int sum = append(b, layer, SIGNAL_OTHER, both, 2, count);
        pass_sum(b, at(b, sum));
        return sum;
    }
    if (layer->type->is_container) {
        int out = follow_list(b, &layer->list, in[0]);
        const Json *no_grad = json_member(layer->json, "no_grad");
        if (layer->type == &layer_block && no_grad && no_grad->number != 0) {
            out = append(b, layer, SIGNAL_PASS, &out, 1, count);
            at(b, out)->log_factor[0] = -INFINITY;
        }
        return out;
    }
    const int index = append(b, layer, SIGNAL_OTHER, in, layer->inputs, count);
    const bool was_unknown = at(b, index)->is_unknown;
    pass_layer(b, at(b, index));
    if (was_unknown && at(b, index)->role == SIGNAL_WEIGHTS && !b->flow->unknown)
        explain_unknown(b, index);
    return index;
}

static int follow_list(Builder *b, const LayerList *list, int input)
{
    int *value = ARENA_ARRAY(b->arena, int, list->count);
    for (int i = 0; i < list->count; i++) {
        const Layer *layer = list->layer[i];
        int in[LAYER_MAX_INPUTS] = {0};
        for (int k = 0; k < layer->inputs; k++) {
            in[k] = input;
            for (int j = i - 1; j >= 0 && layer->source[k]; j--)
                if (list->layer[j] == layer->source[k]) {
                    in[k] = value[j];
                    break;
                }
        }
        value[i] = follow_layer(b, layer, in);
    }
    return value[list->count - 1];
}

/* The training inputs, of at most so many samples. Values that are not finite are another matter. */
static void measure_input(Builder *b, Signal *input, const Dataset *data)
{
    enum { SAMPLE_LIMIT = 1024 };
    const size_t size = shape_count(data->input), inner = data->input.rank == 3 ? size / (size_t)data->input.dim[0] : 1;
    const size_t step = (data->samples + SAMPLE_LIMIT - 1) / SAMPLE_LIMIT, units = size / inner;
    double *sum = ARENA_ARRAY(b->arena, double, units), total = 0, square = 0, count = 0;
    for (size_t s = 0; s < data->samples; s += step)
        for (size_t i = 0; i < size; i++) {
            const double x = (double)data->inputs[s * size + i];
            if (!isfinite(x))
                continue;
            sum[i / inner] += x;
            square += x * x;
            total += x;
            count++;
        }
    if (!(count > 0))
        return;
    input->mean = total / count;
    input->square = square / count;
    for (size_t u = 0; u < units; u++) {
        const double mean = sum[u] * (double)units / count;
        input->shared += mean * mean / (double)units;
    }
}

/* Batch statistics and averages over positions depend on what samples and positions share. */
static bool needs_shared(const Model *model)
{
    static const LayerType *const types[] = {&layer_batchnorm, &layer_avgpool2d, &layer_globalavgpool2d, &layer_mean};
    for (int i = 0; i < model->leaves; i++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++)
            if (model->leaf[i]->type == types[k])
                return true;
    return false;
}

/* ln(e^a + e^b) */
static double log_sum(double a, double b)
{
    const double most = fmax(a, b);
    return most == -INFINITY ? most : most + log(exp(a - most) + exp(b - most));
}

static void flow_back(SignalFlow *flow)
{
    for (int i = 0; i < flow->count; i++)
        flow->signal[i].log_gradient = i == flow->output ? 0 : -INFINITY;
    for (int i = flow->count - 1; i >= 0; i--) {
        const Signal *y = &flow->signal[i];
        for (int k = 0; k < y->inputs; k++) {
            Signal *x = &flow->signal[y->in[k]];
            x->log_gradient = log_sum(x->log_gradient, y->log_gradient + y->log_factor[k]);
        }
    }
}

SignalFlow *signal_flow_new(Arena *arena, const Config *config)
{
    const Model *model = config->model;
    SignalFlow *flow = ARENA_NEW(arena, SignalFlow);
    Builder b = {.arena = arena, .flow = flow, .follows_shared = needs_shared(model)};
    const int input = append(&b, NULL, SIGNAL_OTHER, NULL, 0, (double)shape_count(model->input));
    measure_input(&b, at(&b, input), &config->data.training);
    flow->output = follow_list(&b, &model->root->list, input);
    flow_back(flow);
    return flow;
}
