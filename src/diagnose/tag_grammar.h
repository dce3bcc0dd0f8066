/* What a series of somebody else's log is, by its name. The names were collected from public training scripts and from the
 * tools that write such logs; tests/test_tag_grammar.c has examples.
 *
 * A name is folded before it is compared: lower case, blanks and hyphens as underscores, "gradients", "gradient" and "grads" as
 * "grad", "norms" as "norm", "gradnorm" as "grad_norm". */
#ifndef GRADTOOL_DIAGNOSE_TAG_GRAMMAR_H
#define GRADTOOL_DIAGNOSE_TAG_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

typedef enum TagKind {
    TAG_OTHER,
    TAG_TOTAL,        /* norm of all gradients together, before clipping */
    TAG_CLIPPED,      /* the same after clipping */
    TAG_LAYER,        /* norm of the gradient of one parameter or layer, or a histogram of its values */
    TAG_ZEROS,        /* share of its zeros */
    TAG_NONFINITE,    /* count of its values that are not finite */
    TAG_WEIGHT_NORM,  /* of one parameter, or a histogram of its values */
    TAG_UPDATE_RATIO, /* of one parameter */
    TAG_LOSS,         /* of training */
    TAG_RATE,         /* learning rate */
    TAG_SCALE,        /* loss scale */
    TAG_EVAL_LOSS,    /* of validation */
    TAG_EVAL_ACCURACY,
    TAG_STEP, /* the step itself, where a log has it as a column */
    TAG_EPOCH
} TagKind;

typedef struct Tag {
    TagKind kind;
    /* Of kinds that belong to one parameter: its name as written, a part of the tag's name. Of TAG_TOTAL: what stands before
     * it, of which `has_owner` says whether it looks like a part of a model ("critic") and not like a heading ("train"). */
    const char *layer;
    size_t length;
    bool has_owner;
} Tag;

/* `name` must live as long as the result. Names of more than 384 bytes are TAG_OTHER. */
Tag tag_of(const char *name);
/* A step or an epoch: no value, but where values belong. */
bool tag_is_place(TagKind kind);

#endif
