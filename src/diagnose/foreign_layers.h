/* The order of layers. */
#ifndef GRADTOOL_DIAGNOSE_FOREIGN_LAYERS_H
#define GRADTOOL_DIAGNOSE_FOREIGN_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

/* Sorts `count` structs of `size` bytes, whose first member is their name (const char *). With `file`, as it lists them (one
 * name a line, or tensors of a .safetensors, .pt or .npz), those that it does not name behind; without, as they are when
 * `is_ordered`, else by the alphabet with numbers in their order. False with an error when the file cannot be read or names
 * none of them. */
bool foreign_layers_sort(Arena *scratch, void *layers, size_t size, int count, const char *file, bool is_ordered, Error *err);

#endif
