/* What a layer type is made of; for the files layer_*.c, and for who reads a model layer by layer. */
#ifndef GRADTOOL_NN_LAYER_H
#define GRADTOOL_NN_LAYER_H

#include "autograd/ops.h"
#include "base/fields.h"
#include "nn/init.h"
#include "nn/model.h"

enum { LAYER_MAX_INPUTS = 16, LAYER_MAX_PARAMETERS = 6 };

typedef struct LayerType LayerType;

/* Layers in a list, each of which takes the output of the one before it or of those that it names. */
typedef struct LayerList {
    Layer **layer;
    int count;
} LayerList;

/* A parameter as a layer declares it. */
typedef struct LayerParameter {
    Parameter *parameter;
    Init init;
    Fan fan;
} LayerParameter;

struct Layer {
    const LayerType *type;
    const char *name; /* in its list */
    const char *path; /* joined by dots */
    Json *json;
    void *options;                   /* what the type's fields were read into */
    Layer *source[LAYER_MAX_INPUTS]; /* NULL: the input of the list */
    int inputs;
    Shape in[LAYER_MAX_INPUTS]; /* of one sample */
    Shape output;
    LayerParameter own[LAYER_MAX_PARAMETERS];
    int owns;
    LayerList list;     /* of containers */
    LayerList shortcut; /* of residual */
    int leaf;           /* index in model->leaf, -1 for a container */
    int id;             /* order of definition, over all layers */
    Init init, bias_init;
    bool has_init, has_bias_init;
};

/* While a model is read. */
typedef struct ModelReader {
    Arena *arena;
    Model *model;
    Init init, bias_init; /* the model's, for weights and biases */
    bool has_init, has_bias_init;
    bool frozen;
    int depth, ids, leaf_capacity, state_capacity;
    Error *err;
} ModelReader;

/* While a graph is built. */
typedef struct ModelBuild {
    const Model *model;
    Graph *graph;
    ModelNodes *nodes;
    int batch;
    bool training;
    bool is_probe; /* training without dropout, that leaves running statistics alone */
    LayerHook *on_output;
    void *context;
    int group;    /* leaf layers of this checkpointed segment; 0: none is begun by leaves */
    int left;     /* leaf layers that are still to be checkpointed */
    int in_group; /* leaf layers of the segment so far */
} ModelBuild;

typedef enum LayerKeys { KEYS_WEIGHT = 1, KEYS_BIAS = 2 } LayerKeys; /* takes "init", "bias_init" */

struct LayerType {
    const char *name;
    const char *help;
    const Field *fields;
    size_t options_size;
    int keys;        /* LayerKeys */
    bool takes_many; /* "input" may be a list */
    bool is_container;
    bool computes_in_float32; /* whatever its input; the output is rounded once, to the input's precision */
    /* Sets layer->output from layer->in and declares parameters. */
    bool (*declare)(Layer *layer, ModelReader *reader, Error *err);
    /* The value; x are the inputs [batch, in]. */
    Node *(*build)(const Layer *layer, ModelBuild *build, Node *const x[]);
};

#define LAYER(name) extern const LayerType layer_##name;
#include "nn/layers.def"
extern const LayerType *const layer_table[];
extern const int layer_count;

/* Declares a parameter NAME of the layer. `role` says whose "init" applies. Returns its index in layer->own. */
/* ROLE_WEIGHT and ROLE_BIAS: the layer's own init, else the model's. ROLE_GAIN and ROLE_SHIFT (of norms, embeddings): the
 * layer's alone. */
typedef enum ParameterRole { ROLE_WEIGHT, ROLE_BIAS, ROLE_GAIN, ROLE_SHIFT, ROLE_BUFFER, ROLE_COUNTER } ParameterRole;
int layer_declare(Layer *layer, ModelReader *reader, const char *name, Shape shape, ParameterRole role, Init standard, Fan fan);

/* The node of the layer's own parameter `index`. */
Node *layer_parameter(const Layer *layer, ModelBuild *build, int index);

/* Reads a list of layers whose input is `input`; returns the shape of its output. For containers. */
bool layer_list_read(ModelReader *reader, Json *array, const char *path, Shape input, LayerList *list, Shape *output);
Node *layer_list_build(const LayerList *list, ModelBuild *build, Node *input);
/* The leaf layers in the list and in its containers. */
int layer_list_leaves(const LayerList *list);
/* From here on the next `leaves` leaf layers are checkpointed, in segments of `group`, `group` - 1, ...; where a segment or
 * such a stretch is open already, nothing changes. Returns whether it was begun; only who began it ends it. */
bool layer_recompute_begin(ModelBuild *build, int leaves, int group);
void layer_recompute_end(ModelBuild *build);

/* [batch, shape] */
Shape layer_batch_shape(const ModelBuild *build, Shape shape);

/* PyTorch's default for linear and convolution: uniform within 1 / sqrt(fan_in). */
Init init_fan_in_uniform(int fan_in);
static inline Init init_constant(double value)
{
    return (Init){.kind = INIT_CONSTANT, .value = value};
}

#endif
