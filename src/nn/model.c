/* The layers of a model: read in lists, with names, shapes and parameters; and built into a graph. */
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

#include "nn/layer.h"

const LayerType *const layer_table[] = {
#define LAYER(name) &layer_##name,
#include "nn/layers.def"
};
const int layer_count = sizeof layer_table / sizeof *layer_table;

enum { DEPTH_LIMIT = 64, NAME_LIMIT = 200 };

typedef struct CommonOptions {
    const char *type, *name;
    Json *input, *init, *bias_init;
} CommonOptions;

static const Field common_fields[] = {
    {"type", FIELD_STRING, offsetof(CommonOptions, type), .required = true, .help = "what the layer does"},
    {"name", FIELD_STRING, offsetof(CommonOptions, name), .help = "by default the type and its count"},
    {"input", FIELD_JSON, offsetof(CommonOptions, input), .help = "the layers whose output it takes"},
    {0}};
static const Field init_fields[] = {{"init", FIELD_JSON, offsetof(CommonOptions, init), .help = "how its weights start"}, {0}};
static const Field bias_init_fields[] = {
    {"bias_init", FIELD_JSON, offsetof(CommonOptions, bias_init), .help = "how its bias starts"}, {0}};
static const Field no_fields[] = {{0}};

static const LayerType *find_type(const Json *json, Error *err)
{
    const Json *type = json_member(json, "type");
    if (!type) {
        error_at(err, json, "a layer needs a `type`");
        error_hint(err, "gradtool list layers shows what there is");
        return NULL;
    }
    const char *names[sizeof layer_table / sizeof *layer_table + 1] = {NULL};
    for (int i = 0; i < layer_count; i++)
        names[i] = layer_table[i]->name;
    int index = fields_choose(type, "layer type", names, err);
    return index < 0 ? NULL : layer_table[index];
}

static Layer *find_layer(const LayerList *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->layer[i]->name, name))
            return list->layer[i];
    return NULL;
}

/* Adds the layer that `value` names, or the list's own input, to the layer's sources. */
static bool add_source(ModelReader *reader, Layer *layer, const LayerList *list, const Json *value, Shape input)
{
    if (value->type != JSON_STRING)
        return error_at(reader->err, value, "`input` names layers");
    if (layer->inputs == LAYER_MAX_INPUTS)
        return error_at(reader->err, value, "a layer takes at most %d inputs", LAYER_MAX_INPUTS);
    Layer *source = NULL;
    if (strcmp(value->string, "input") != 0) {
        source = find_layer(list, value->string);
        if (!source) {
            const char **names = ARENA_ARRAY(reader->arena, const char *, list->count + 1);
            for (int i = 0; i < list->count; i++)
                names[i] = list->layer[i]->name;
            names[list->count] = "input";
            error_at(reader->err, value, "no layer before %s is called `%s`", layer->path, value->string);
            return error_suggest(reader->err, value->string, names, list->count + 1);
        }
    }
    layer->in[layer->inputs] = source ? source->output : input;
    layer->source[layer->inputs++] = source;
    return true;
}

static bool read_sources(ModelReader *reader, Layer *layer, const LayerList *list, const Json *value, Shape input)
{
    if (!value) {
        Layer *before = list->count ? list->layer[list->count - 1] : NULL;
        layer->in[0] = before ? before->output : input;
        layer->source[0] = before;
        layer->inputs = 1;
        return !layer->type->takes_many ||
               error_at(reader->err, layer->json, "%s needs `input`: a list of layers", layer->type->name);
    }
    if (value->type != JSON_ARRAY)
        return add_source(reader, layer, list, value, input);
    if (value->count < 1 || (value->count > 1 && !layer->type->takes_many))
        return error_at(reader->err, value, "%s takes one input, got %d", layer->type->name, value->count);
    for (const Json *item = value->first; item; item = item->next)
        if (!add_source(reader, layer, list, item, input))
            return false;
    return true;
}

static bool read_name(ModelReader *reader, Layer *layer, const LayerList *list, const CommonOptions *common, int ordinal,
                      const char *path)
{
    layer->name = common->name ? common->name : arena_printf(reader->arena, "%s%d", layer->type->name, ordinal);
    layer->path = *path ? arena_printf(reader->arena, "%s.%s", path, layer->name) : layer->name;
    const Json *place = common->name ? json_member(layer->json, "name") : layer->json;
    if (!*layer->name || strlen(layer->name) > NAME_LIMIT || strpbrk(layer->name, "./\n") || !strcmp(layer->name, "input"))
        return error_at(reader->err, place,
                        "`%s` cannot be a layer's name: names are short, without dots and slashes, and not `input`",
                        layer->name);
    if (find_layer(list, layer->name))
        return error_at(reader->err, place, "two layers are called `%s`", layer->path);
    return true;
}

static bool read_inits(ModelReader *reader, Layer *layer, const CommonOptions *common)
{
    bool fine = true;
    if (common->init) {
        layer->has_init = true;
        fine = init_read(reader->arena, common->init, &layer->init, reader->err);
    }
    if (common->bias_init) {
        layer->has_bias_init = true;
        fine = init_read(reader->arena, common->bias_init, &layer->bias_init, reader->err) && fine;
    }
    return fine;
}

static void add_leaf(ModelReader *reader, Layer *layer)
{
    Model *model = reader->model;
    if (model->leaves == reader->leaf_capacity) {
        reader->leaf_capacity = reader->leaf_capacity ? 2 * reader->leaf_capacity : 32;
        model->leaf = arena_grow(reader->arena, model->leaf, sizeof(Layer *) * (size_t)model->leaves,
                                 sizeof(Layer *) * (size_t)reader->leaf_capacity);
    }
    layer->leaf = model->leaves;
    model->leaf[model->leaves++] = layer;
}

static Layer *read_layer(ModelReader *reader, Json *json, const char *path, Shape input, const LayerList *list, int ordinal)
{
    const LayerType *type = find_type(json, reader->err);
    if (!type)
        return NULL;
    Layer *layer = ARENA_NEW(reader->arena, Layer);
    *layer = (Layer){.type = type, .json = json, .leaf = -1, .id = reader->ids++};
    layer->options = arena_alloc(reader->arena, type->options_size + 1);
    CommonOptions common = {0};
    const FieldSet sets[] = {{common_fields, &common},
                             {type->fields ? type->fields : no_fields, layer->options},
                             {type->keys & KEYS_WEIGHT ? init_fields : no_fields, &common},
                             {type->keys & KEYS_BIAS ? bias_init_fields : no_fields, &common}};
    const char *what = arena_printf(reader->arena, "layer type %s", type->name);
    bool fine = fields_read(reader->arena, json, what, sets, 4, reader->err);
    fine = read_name(reader, layer, list, &common, ordinal, path) && fine;
    fine = read_inits(reader, layer, &common) && fine;
    fine = fine && read_sources(reader, layer, list, common.input, input);
    if (fine && !type->is_container)
        add_leaf(reader, layer);
    return fine && type->declare(layer, reader, reader->err) ? layer : NULL;
}

/* How many of the list's items up to this one are of its type. */
static int ordinal_of(const Json *array, const Json *item)
{
    const Json *type = json_member(item, "type");
    int ordinal = 1;
    if (!type || type->type != JSON_STRING)
        return ordinal;
    for (const Json *other = array->first; other != item; other = other->next) {
        const Json *same = json_member(other, "type");
        ordinal += same && same->type == JSON_STRING && !strcmp(same->string, type->string);
    }
    return ordinal;
}

bool layer_list_read(ModelReader *reader, Json *array, const char *path, Shape input, LayerList *list, Shape *output)
{
    if (!array || array->type != JSON_ARRAY || !array->count)
        return error_at(reader->err, array, "`layers` must be a list of layers");
    if (reader->depth == DEPTH_LIMIT)
        return error_at(reader->err, array, "blocks nest deeper than %d", DEPTH_LIMIT);
    reader->depth++;
    list->layer = ARENA_ARRAY(reader->arena, Layer *, array->count);
    bool fine = true;
    for (Json *item = array->first; item && fine; item = item->next) {
        if (item->type != JSON_OBJECT) {
            fine = error_at(reader->err, item, "a layer is an object: {\"type\": \"linear\", ...}");
            break;
        }
        Layer *layer = read_layer(reader, item, path, input, list, ordinal_of(array, item));
        if (!layer)
            fine = false; /* what follows depends on its shape */
        else
            list->layer[list->count++] = layer;
    }
    reader->depth--;
    if (fine)
        *output = list->layer[list->count - 1]->output;
    return fine;
}

int layer_declare(Layer *layer, ModelReader *reader, const char *name, Shape shape, ParameterRole role, Init standard, Fan fan)
{
    Model *model = reader->model;
    Parameter *p = ARENA_NEW(reader->arena, Parameter);
    *p = (Parameter){
        .name = arena_printf(reader->arena, "%s.%s", layer->path, name),
        .layer = layer->path,
        .kind = role == ROLE_BUFFER    ? PARAMETER_BUFFER
                : role == ROLE_COUNTER ? PARAMETER_COUNTER
                                       : PARAMETER_WEIGHT,
        .shape = shape,
        .frozen = reader->frozen,
        .index = model->states,
    };
    Init init = standard;
    if (layer->has_init && (role == ROLE_WEIGHT || role == ROLE_GAIN) && layer->init.kind != INIT_DEFAULT)
        init = layer->init;
    else if (!layer->has_init && reader->has_init && role == ROLE_WEIGHT && reader->init.kind != INIT_DEFAULT)
        init = reader->init;
    else if (layer->has_bias_init && (role == ROLE_BIAS || role == ROLE_SHIFT) && layer->bias_init.kind != INIT_DEFAULT)
        init = layer->bias_init;
    else if (!layer->has_bias_init && reader->has_bias_init && role == ROLE_BIAS && reader->bias_init.kind != INIT_DEFAULT)
        init = reader->bias_init;
    if (role != ROLE_COUNTER) {
        p->data = arena_try(reader->arena, shape_count(shape) * sizeof(float) + 64);
        if (!p->data) {
            error_at(reader->err, layer->json, "%s of %s needs %.0f MiB, which cannot be had", p->name,
                     shape_text(reader->arena, shape), (double)shape_count(shape) * sizeof(float) / (1 << 20));
            p->shape = SHAPE_SCALAR;
            p->data = ARENA_NEW(reader->arena, float);
        }
    }
    if (model->states == reader->state_capacity) {
        reader->state_capacity = reader->state_capacity ? 2 * reader->state_capacity : 64;
        model->state = arena_grow(reader->arena, model->state, sizeof(Parameter *) * (size_t)model->states,
                                  sizeof(Parameter *) * (size_t)reader->state_capacity);
    }
    model->state[model->states++] = p;
    layer->own[layer->owns] = (LayerParameter){.parameter = p, .init = init, .fan = fan};
    return layer->owns++;
}

static void initialise_layers(const LayerList *list, uint64_t seed, Arena *scratch)
{
    for (int i = 0; i < list->count; i++) {
        const Layer *layer = list->layer[i];
        for (int k = 0; k < layer->owns; k++) {
            const LayerParameter *own = &layer->own[k];
            own->parameter->counter = 0;
            if (own->parameter->data)
                init_apply(&own->init, own->parameter, own->fan, seed, scratch);
        }
        initialise_layers(&layer->list, seed, scratch);
        initialise_layers(&layer->shortcut, seed, scratch);
    }
}

void model_initialise(Model *model, uint64_t seed)
{
    Arena *scratch = arena_new(NULL);
    initialise_layers(&model->root->list, seed, scratch);
    arena_free(scratch);
}

size_t model_parameter_count(const Model *model)
{
    size_t count = 0;
    for (int i = 0; i < model->parameters; i++)
        count += shape_count(model->parameter[i]->shape);
    return count;
}

Shape layer_batch_shape(const ModelBuild *build, Shape shape)
{
    return shape_prepend(build->batch, shape);
}

Node *layer_parameter(const Layer *layer, ModelBuild *build, int index)
{
    Parameter *p = layer->own[index].parameter;
    Node **node = &build->nodes->state[p->index];
    if (!*node)
        *node = graph_parameter(build->graph, p);
    return *node;
}

int layer_list_leaves(const LayerList *list)
{
    int leaves = 0;
    for (int i = 0; i < list->count; i++)
        leaves += list->layer[i]->leaf >= 0
                      ? 1
                      : layer_list_leaves(&list->layer[i]->list) + layer_list_leaves(&list->layer[i]->shortcut);
    return leaves;
}

bool layer_recompute_begin(ModelBuild *build, int leaves, int group)
{
    if (build->group || build->graph->segment || leaves < 1 || group < 1)
        return false;
    build->group = group;
    build->left = leaves;
    build->in_group = 0;
    return true;
}

void layer_recompute_end(ModelBuild *build)
{
    if (build->in_group)
        graph_checkpoint_end(build->graph);
    build->group = build->in_group = 0;
}

/* Segments are runs of leaf layers, whatever containers they stand in; each is one layer shorter than the one before it. When
 * the backward pass recomputes a segment, what is kept are the inputs of those before it: the fewer there are, the longer the
 * segment may be. So n layers need the memory of sqrt(2 n), where segments of one length need 2 sqrt(n). */
static void next_in_segment(ModelBuild *build)
{
    if (build->in_group == build->group || !build->left) {
        graph_checkpoint_end(build->graph);
        build->in_group = 0;
        build->group -= build->group > 1;
    }
    if (!build->left) {
        build->group = 0;
        return;
    }
    if (!build->in_group)
        graph_checkpoint_begin(build->graph);
    build->in_group++;
    build->left--;
}

/* What is one kernel in PyTorch may be several operators here: in half precision they are not rounded one by one. */
static Node *build_layer(const Layer *layer, ModelBuild *build, Node *const x[])
{
    if (!layer->type->computes_in_float32)
        return layer->type->build(layer, build, x);
    Node *in = op_cast(x[0], PRECISION_FLOAT32);
    return op_cast(layer->type->build(layer, build, &in), x[0]->precision);
}

/* Values of a list's layers by their place in the list, so that later layers find those they name. */
Node *layer_list_build(const LayerList *list, ModelBuild *build, Node *input)
{
    Graph *graph = build->graph;
    Node **value = ARENA_ARRAY(graph->arena, Node *, list->count);
    for (int i = 0; i < list->count; i++) {
        const Layer *layer = list->layer[i];
        const char *scope = graph->scope;
        Node *x[LAYER_MAX_INPUTS] = {input};
        for (int k = 0; k < layer->inputs; k++) {
            x[k] = input;
            for (int j = i - 1; j >= 0 && layer->source[k]; j--)
                if (list->layer[j] == layer->source[k]) {
                    x[k] = value[j];
                    break;
                }
        }
        graph->scope = layer->path;
        if (layer->leaf >= 0 && build->group)
            next_in_segment(build);
        int first = graph->count;
        value[i] = build_layer(layer, build, x);
        if (layer->leaf >= 0 && value[i]->id < first) /* it passes its input on: its gradient is still its own */
            value[i] = op_identity(value[i]);
        if (build->on_output)
            value[i] = build->on_output(build->context, layer, value[i]);
        if (layer->leaf >= 0)
            build->nodes->leaf[layer->leaf] = value[i];
        graph->scope = scope;
    }
    return value[list->count - 1];
}

ModelNodes model_build_with(const Model *model, Graph *graph, const ModelBuildOptions *options)
{
    ModelNodes nodes = {
        .leaf = ARENA_ARRAY(graph->arena, Node *, model->leaves),
        .state = ARENA_ARRAY(graph->arena, Node *, model->states),
    };
    ModelBuild build = {
        .model = model,
        .graph = graph,
        .nodes = &nodes,
        .batch = options->batch,
        .training = options->training,
        .is_probe = options->is_probe,
        .on_output = options->on_output,
        .context = options->context,
    };
    for (int i = 0; options->first && i < model->states; i++)
        nodes.state[i] = options->first->state[i];
    LayerList list = model->root->list;
    if (model->nets > 1) { /* each net is one layer of the root */
        list.layer += options->first_net;
        list.count = options->nets ? options->nets : list.count - options->first_net;
    }
    Shape input = model->net[options->first_net].input;
    nodes.first_net = options->first_net;
    nodes.is_probe = options->is_probe;
    nodes.input = options->input ? options->input : graph_input(graph, "input", shape_prepend(options->batch, input));
    layer_recompute_begin(&build, options->recompute_leaves, options->recompute_group);
    nodes.output = layer_list_build(&list, &build, nodes.input);
    layer_recompute_end(&build);
    return nodes;
}

ModelNodes model_build(const Model *model, Graph *graph, int batch, bool training)
{
    return model_build_with(model, graph, &(ModelBuildOptions){.batch = batch, .training = training});
}

static int match_layers(const LayerList *list, const char *glob, void (*visit)(void *context, const Layer *layer),
                        void *context)
{
    int matches = 0;
    for (int i = 0; i < list->count; i++) {
        const Layer *layer = list->layer[i];
        if (text_glob(glob, layer->path)) {
            visit(context, layer);
            matches++;
        }
        matches += match_layers(&layer->list, glob, visit, context);
        matches += match_layers(&layer->shortcut, glob, visit, context);
    }
    return matches;
}

int model_match_layers(const Model *model, const char *glob, void (*visit)(void *context, const Layer *layer), void *context)
{
    return match_layers(&model->root->list, glob, visit, context);
}

const char *layer_path(const Layer *layer)
{
    return layer->path;
}

const char *layer_type_name(const Layer *layer)
{
    return layer->type->name;
}

Shape layer_output(const Layer *layer)
{
    return layer->output;
}

Init init_fan_in_uniform(int fan_in)
{
    double bound = fan_in > 0 ? 1 / __builtin_sqrt((double)fan_in) : 0;
    return (Init){.kind = INIT_UNIFORM, .low = -bound, .high = bound};
}

int layer_type_count(void)
{
    return layer_count;
}

const char *layer_type_row(int index, const char **help)
{
    *help = layer_table[index]->help;
    return layer_table[index]->name;
}
