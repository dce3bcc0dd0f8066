/* Keeps the state that an update changes where the update might leave the finite numbers: that cannot be undone by arithmetic.
 *
 * optimizer_is_safe() tells beforehand, so that a healthy run never copies anything. */
#ifndef GRADTOOL_TRAIN_UPDATE_GUARD_H
#define GRADTOOL_TRAIN_UPDATE_GUARD_H

#include "base/error.h"
#include "optim/update_blame.h"
#include "train/trainer_internal.h"

/* Copies the weights of t->net and the optimizer's state. False with an error when the memory cannot be had. */
bool update_guard_keep(Trainer *t, Error *err);
/* Exchanges the copies with the state; twice changes nothing. */
void update_guard_swap(Trainer *t);

/* The first element that an update left without a finite value. */
typedef struct UpdateFault {
    int parameter; /* among the model's weights */
    size_t element;
    const char *state; /* the optimizer's state that is not finite; NULL: the weight itself */
    double value;      /* NaN or an infinity */
    UpdateElement at;
    Update update; /* whose options, rate and states the formula had */
} UpdateFault;
/* After the update. False: everything is finite. */
bool update_guard_find(const Trainer *t, UpdateFault *fault);

#endif
