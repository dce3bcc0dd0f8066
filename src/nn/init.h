/* How weights start: torch.nn.init's distributions and names. */
#ifndef GRADTOOL_NN_INIT_H
#define GRADTOOL_NN_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "tensor/parameter.h"

typedef enum InitKind {
    INIT_DEFAULT, /* what PyTorch does for the layer: its own Init is used instead */
    INIT_ZEROS,
    INIT_ONES,
    INIT_CONSTANT,
    INIT_NORMAL,
    INIT_UNIFORM,
    INIT_XAVIER_UNIFORM,
    INIT_XAVIER_NORMAL,
    INIT_KAIMING_UNIFORM,
    INIT_KAIMING_NORMAL,
    INIT_ORTHOGONAL
} InitKind;

typedef struct Init {
    InitKind kind;
    double value, mean, std, low, high, gain;
    double slope;     /* of kaiming's leaky_relu */
    int nonlinearity; /* index into torch.nn.init.calculate_gain's names */
    int mode;         /* 0 fan_in, 1 fan_out */
} Init;

/* A matrix or kernel inside a parameter is initialised by itself: `parts` equal parts along the first axis. */
typedef struct Fan {
    int in, out, parts;
} Fan;

extern const char *const init_names[]; /* ends with NULL, in the order of InitKind */
extern const char *const init_help[];  /* one line each */

/* Reads "xavier_uniform" or {"type": "constant", "value": 0.1}; fills defaults into an object. */
bool init_read(Arena *arena, Json *value, Init *init, Error *err);

/* Fills the parameter from the stream of (seed, its name). Saxe et al. 2014 for orthogonal (QR of a normal matrix). */
void init_apply(const Init *init, Parameter *parameter, Fan fan, uint64_t seed, Arena *scratch);

#endif
