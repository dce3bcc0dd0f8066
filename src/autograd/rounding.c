/* Which values a plan rounds: those of half precision, unless their operator gives out nothing but numbers that it has read. */
#include "autograd/ops.h"
#include "autograd/plan_internal.h"

static const Op *const exact[] = {
    &row_neg,      &row_abs,        &row_sign,       &row_step,       &row_relu,      &row_relu_dx,
    &row_select,   &row_expand,     &row_maximum,    &row_identity,   &row_transpose, &row_slice,
    &row_pad,      &row_concat,     &row_max_all,    &row_maxpool2d,  &row_causal,    &row_recurrent_states,
    &row_is_zero,  &row_is_index,   &row_less,       &row_less_equal, &row_equal,     &row_maxpool2d_gather,
    &row_hardtanh, &row_below_zero, &row_hardtanh_dx};

static bool keeps_numbers(const Node *y)
{
    for (int k = 0; k < y->op->inputs; k++)
        if (y->in[k]->precision != y->precision)
            return false;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (y->op == exact[i])
            return true;
    return false;
}

RoundValues *rounding_of(const Node *y, Variant variant)
{
    return y->op->kind == OP_VIEW || keeps_numbers(y) ? NULL : half_round(y->precision, variant);
}
