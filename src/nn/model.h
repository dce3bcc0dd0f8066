/* A model: layers read from JSON, their shapes and parameters, and the graph that they make. */
#ifndef GRADTOOL_NN_MODEL_H
#define GRADTOOL_NN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "autograd/graph.h"
#include "base/error.h"
#include "base/json.h"
#include "tensor/parameter.h"

typedef struct Layer Layer;

/* Layers that make a net of their own: all of a model, or one of several nets behind each other (generator and critic). */
typedef struct ModelNet {
    const char *name;          /* the paths of its layers begin with it; "" where the model is one net */
    Shape input, output;       /* of one sample */
    int leaf, leaves;          /* its leaf layers: the first, and how many */
    int parameter, parameters; /* and its weights */
} ModelNet;

typedef struct Model {
    const char *name;
    Shape input; /* of one sample; of tokens [length] */
    int tokens;  /* inputs are token numbers below this; 0: they are numbers */
    Shape output;
    Layer *root;
    Layer **leaf; /* every layer that is no container, in the order they are defined */
    int leaves;
    Parameter **state; /* weights and buffers, in the order they are defined: the state_dict */
    int states;
    Parameter **parameter; /* the weights among them */
    int parameters;
    ModelNet *net;
    int nets;
} Model;

/* Reads a model object: infers all shapes, declares all parameters (zero so far), fills defaults into the object.
 * All mistakes are reported at once. */
Model *model_read(Arena *arena, Json *object, Error *err);

/* Model objects that stand behind each other as one model, each a block of the name names[i]: what one gives is what the next
 * takes. */
Model *model_read_nets(Arena *arena, const char *const names[], Json *const objects[], int count, Error *err);

/* Initial weights: a function of seed and parameter names alone. */
void model_initialise(Model *model, uint64_t seed);

size_t model_parameter_count(const Model *model);

const char *layer_path(const Layer *layer);
const char *layer_type_name(const Layer *layer);
Shape layer_output(const Layer *layer);

/* The nodes of a built model. Arrays are in the order of model->leaf and model->state. */
typedef struct ModelNodes {
    Node *input;  /* [batch, input] */
    Node *output; /* [batch, output] */
    Node **leaf;
    Node **state;
    int first_net;
    bool is_probe; /* as it was built */
} ModelNodes;

/* What may be done with a layer's output before it goes on: returns the node that takes its place. */
typedef Node *LayerHook(void *context, const Layer *layer, Node *y);

typedef struct ModelBuildOptions {
    int batch;
    bool training;        /* switches dropout and batch statistics */
    bool is_probe;        /* of training: dropout passes all on, and running statistics stay as they are */
    LayerHook *on_output; /* NULL: none */
    void *context;
    Node *input;             /* NULL: a new graph input */
    const ModelNodes *first; /* an earlier build in the same graph, whose parameters are used again; or NULL */
    int first_net, nets;     /* only so many nets from this one on; 0: to the last */
    int recompute_leaves;    /* so many leaf layers from the first on are checkpointed, ... */
    int recompute_group;     /* ... in segments of so many and then, one after another, one less */
} ModelBuildOptions;

/* Appends the model to a graph for batches of `batch` samples. */
ModelNodes model_build_with(const Model *model, Graph *graph, const ModelBuildOptions *options);
ModelNodes model_build(const Model *model, Graph *graph, int batch, bool training);

/* Calls visit for every layer, containers too, whose path matches the glob; returns how many there are. */
int model_match_layers(const Model *model, const char *glob, void (*visit)(void *context, const Layer *layer), void *context);

/* For `gradtool list layers`. */
int layer_type_count(void);
const char *layer_type_row(int index, const char **help);

#endif
