/* Rounding to half precision, bit for bit; and where a graph rounds. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/bfloat16_product.h"
#include "autograd/ops.h"
#include "autograd/plan.h"
#include "base/random.h"
#include "tensor/half.h"
#include "tensor/number_type.h"

static const Precision halves[] = {PRECISION_BFLOAT16, PRECISION_FLOAT16};

/* The number that 16 bits stand for, by the reader of files, which knows nothing of rounding. */
static float half_of_bits(Precision precision, uint32_t bits)
{
    const unsigned char bytes[] = {(unsigned char)(bits & 0xff), (unsigned char)(bits >> 8)};
    return number_float(precision == PRECISION_FLOAT16 ? NUMBER_F16 : NUMBER_BF16, false, bytes);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float rounded(Precision precision, float x)
{
    return precision == PRECISION_FLOAT16 ? half_float16(x) : half_bfloat16(x);
}

static void check(Precision precision, float x, float expected)
{
    float y = rounded(precision, x);
    if (bits_of(y) != bits_of(expected) && !(isnan(y) && isnan(expected)))
        fail_msg("%s of %a is %a, expected %a", precision_name(precision), (double)x, (double)y, (double)expected);
}

static void every_half_number_stays_itself(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++)
        for (uint32_t bits = 0; bits < 1u << 16; bits++)
            check(halves[p], half_of_bits(halves[p], bits), half_of_bits(halves[p], bits));
}

/* Neighbours have neighbouring bits; beyond the largest finite number stands infinity, as if it were the next one. */
static void between_two_halves_the_nearer_wins_and_ties_go_to_the_even(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++) {
        const bool is_float16 = halves[p] == PRECISION_FLOAT16;
        const uint32_t infinity = is_float16 ? 0x7c00 : 0x7f80;
        for (uint32_t bits = 0; bits < infinity; bits++) {
            const float low = half_of_bits(halves[p], bits), high = half_of_bits(halves[p], bits + 1);
            const double after = isinf(high) ? (is_float16 ? 65536.0 : 0x1p128) : (double)high;
            const float middle = (float)(((double)low + after) / 2), even = bits & 1 ? high : low;
            const float below = nextafterf(middle, 0), above = nextafterf(middle, INFINITY);
            for (int sign = -1; sign <= 1; sign += 2) {
                const float s = (float)sign;
                check(halves[p], s * middle, s * even);
                check(halves[p], s * above, s * high);
                if (below > low)
                    check(halves[p], s * below, s * low);
            }
        }
    }
}

static void what_is_too_large_or_too_small_becomes_infinite_or_zero(void **state)
{
    (void)state;
    check(PRECISION_FLOAT16, 65504, 65504);
    check(PRECISION_FLOAT16, 65519.996f, 65504);
    check(PRECISION_FLOAT16, 65520, INFINITY);
    check(PRECISION_FLOAT16, -3e38f, -INFINITY);
    check(PRECISION_FLOAT16, 0x1p-25f, 0);
    check(PRECISION_FLOAT16, -0x1.8p-25f, -0x1p-24f);
    check(PRECISION_FLOAT16, -1e-30f, -0.0f);
    check(PRECISION_BFLOAT16, 3.4028235e38f, INFINITY);
    check(PRECISION_BFLOAT16, 0x1p-149f, 0);
    check(PRECISION_BFLOAT16, 0x1.8p-134f, 0x1p-133f);
    for (int p = 0; p < 2; p++) {
        check(halves[p], NAN, NAN);
        check(halves[p], -INFINITY, -INFINITY);
        for (uint32_t payload = 1; payload < 1u << 23; payload = payload * 3 + 1) { /* none may turn into infinity */
            uint32_t bits = 0x7f800000u | payload;
            float x;
            memcpy(&x, &bits, sizeof x);
            assert_true(isnan(rounded(halves[p], x)));
        }
    }
}

static void all_kernels_round_alike(void **state)
{
    (void)state;
    enum { COUNT = 100003 };
    static float values[COUNT], expected[COUNT], given[COUNT];
    Random random = random_stream(1, RANDOM_PROBE, 0);
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = (uint32_t)random_below(&random, (uint64_t)i, 1ull << 32);
        memcpy(&given[i], &bits, sizeof bits);
    }
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < COUNT; i++)
            expected[i] = rounded(halves[p], given[i]);
        for (int variant = 0; variant < VARIANT_COUNT; variant++) {
            RoundValues *round = half_round(halves[p], (Variant)variant);
            if (variant == VARIANT_F64)
                assert_null(round);
            if (variant == VARIANT_F64 || !variant_is_supported((Variant)variant))
                continue;
            memcpy(values, given, sizeof values);
            round(values, COUNT);
            assert_memory_equal(values, expected, sizeof values);
        }
    }
    assert_null(half_round(PRECISION_FLOAT32, variant_best()));
}

typedef struct Fixture {
    Arena *arena;
    Error *err;
    Graph *graph;
    Node *x, *weight;
    Parameter parameter;
    float values[6];
} Fixture;

enum { ROWS = 5, IN = 3, OUT = 2 };

static Fixture *fixture_new(Precision autocast)
{
    Arena *arena = arena_new(NULL);
    Fixture *f = ARENA_NEW(arena, Fixture);
    *f = (Fixture){.arena = arena, .err = error_new(arena), .graph = graph_new(arena)};
    for (int i = 0; i < OUT * IN; i++)
        f->values[i] = 0.1f * (float)(i + 1);
    f->parameter = (Parameter){.name = "weight", .shape = SHAPE(OUT, IN), .data = f->values};
    f->graph->autocast = autocast;
    f->x = graph_input(f->graph, "x", SHAPE(ROWS, IN));
    f->weight = graph_parameter(f->graph, &f->parameter);
    return f;
}

static const float *run(Fixture *f, Node *const roots[], int count, Variant variant, Workspace **workspace)
{
    Plan *plan = plan_compile(f->graph, roots, count, variant, f->arena, f->err);
    assert_non_null(plan);
    *workspace = workspace_new(plan, f->arena, f->err);
    float *x = workspace_value(*workspace, f->x);
    for (int i = 0; i < ROWS * IN; i++)
        x[i] = 1.0f / (float)(i + 3);
    plan_run(plan, *workspace, NULL);
    return workspace_value(*workspace, roots[0]);
}

/* x W^T of rounded numbers, added up in double and rounded once; both sums are short enough to be exact but for that. */
static void products_read_halves_and_round_once(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++) {
        Fixture *f = fixture_new(halves[p]);
        Node *y = op_linear(f->x, f->weight, NULL);
        Workspace *w;
        const float *values = run(f, &y, 1, variant_best(), &w), *x = workspace_value(w, f->x);
        assert_int_equal(y->precision, halves[p]);
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < OUT; column++) {
                double sum = 0;
                for (int k = 0; k < IN; k++)
                    sum += (double)rounded(halves[p], x[row * IN + k]) * (double)rounded(halves[p], f->values[column * IN + k]);
                assert_near(values[row * OUT + column], rounded(halves[p], (float)sum), 0);
            }
        arena_free(f->arena);
    }
}

static void a_gradient_is_half_where_its_tensor_is_and_float32_at_the_weight(void **state)
{
    (void)state;
    Fixture *f = fixture_new(PRECISION_BFLOAT16);
    Node *y = op_linear(f->x, f->weight, NULL), *z = op_tanh(y);
    Node *loss = op_sum(op_cast(z, PRECISION_FLOAT32)), *grad[3];
    Workspace *w;
    graph_gradient(loss, NULL, (Node *const[]){f->weight, y, z}, 3, NULL, 0, grad);
    assert_int_equal(grad[0]->precision, PRECISION_FLOAT32);
    assert_int_equal(grad[1]->precision, PRECISION_BFLOAT16);
    assert_int_equal(grad[2]->precision, PRECISION_BFLOAT16);
    const float *dw = run(f, (Node *const[]){grad[0], grad[1], z}, 3, variant_best(), &w);
    const float *dy = workspace_value(w, grad[1]), *values = workspace_value(w, z);
    for (int i = 0; i < ROWS * OUT; i++) /* tanh' from the rounded output, in float32, rounded once */
        assert_near(dy[i], half_bfloat16(1 - values[i] * values[i]), 0);
    for (int i = 0; i < OUT * IN; i++)
        assert_near(dw[i], half_bfloat16(dw[i]), 0);
    arena_free(f->arena);
}

static void a_weight_is_cast_once_however_often_it_is_read(void **state)
{
    (void)state;
    Fixture *f = fixture_new(PRECISION_FLOAT16);
    Node *y = op_linear(f->x, f->weight, NULL);
    int count = f->graph->count;
    Node *again = op_linear(f->x, f->weight, NULL);
    assert_ptr_equal(graph_base(again)->in[1], graph_base(y)->in[1]);
    for (int i = count; i < f->graph->count; i++)
        assert_ptr_not_equal(f->graph->node[i]->op, &row_cast);
    arena_free(f->arena);
}

static void types_meet_as_in_pytorch(void **state)
{
    (void)state;
    Fixture *f = fixture_new(PRECISION_FLOAT16);
    Node *half = op_linear(f->x, f->weight, NULL), *whole = graph_input(f->graph, "whole", SHAPE(ROWS, OUT));
    assert_int_equal(op_relu(half)->precision, PRECISION_FLOAT16);
    assert_int_equal(op_softmax(half)->precision, PRECISION_FLOAT16);
    assert_int_equal(op_add(half, whole)->precision, PRECISION_FLOAT32);
    assert_int_equal(op_mul(half, graph_constant(f->graph, 0.3))->precision, PRECISION_FLOAT16);
    assert_int_equal(op_scale(half, 3)->precision, PRECISION_FLOAT16);
    assert_int_equal(op_concat(half, whole, 0)->precision, PRECISION_FLOAT32);
    assert_int_equal(op_tanh(whole)->precision, PRECISION_FLOAT32);
    assert_int_equal(op_matmul(whole, whole, true, false)->precision, PRECISION_FLOAT16);
    arena_free(f->arena);
}

static void a_mean_of_halves_does_not_overflow_where_its_sum_would(void **state)
{
    (void)state;
    Fixture *f = fixture_new(PRECISION_FLOAT32);
    Node *large = op_cast(op_shift(op_scale(f->x, 0), 60000), PRECISION_FLOAT16), *mean = op_mean(large);
    Workspace *w;
    assert_near(*run(f, &mean, 1, variant_best(), &w), 60000, 0);
    arena_free(f->arena);
}

/* Of numbers whose products and sums float32 holds exactly, so that every order of addition gives the same bits. */
static void check_product(Arena *arena, int m, int n, int k, bool transpose_a, bool transpose_b, bool accumulates)
{
    const size_t rows = (size_t)m, columns = (size_t)n, terms = (size_t)k;
    float *a = ARENA_ARRAY(arena, float, rows *terms), *b = ARENA_ARRAY(arena, float, terms *columns);
    float *c = ARENA_ARRAY(arena, float, rows *columns);
    void *scratch = arena_alloc(arena, sizeof(float) * bfloat16_product_scratch());
    Random random = random_stream((uint64_t)(m + 7 * n + 100 * k), RANDOM_PROBE, 0);
    for (size_t i = 0; i < rows * terms; i++)
        a[i] = (float)random_below(&random, 2 * i, 33) - 16;
    for (size_t i = 0; i < terms * columns; i++)
        b[i] = (float)random_below(&random, 2 * i + 1, 33) - 16;
    for (size_t i = 0; i < rows * columns; i++)
        c[i] = 7;
    const Bfloat16Matrix left = {a, transpose_a ? 1 : terms, transpose_a ? rows : 1};
    const Bfloat16Matrix right = {b, transpose_b ? 1 : columns, transpose_b ? terms : 1};
    bfloat16_product(m, n, k, left, right, c, columns, accumulates, scratch);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            double sum = accumulates ? 7 : 0;
            for (size_t q = 0; q < terms; q++)
                sum += (double)a[i * left.row + q * left.column] * (double)b[q * right.row + j * right.column];
            if ((double)c[i * columns + j] != sum)
                fail_msg("%d x %d x %d: element %zu, %zu is %g, expected %g", m, n, k, i, j, (double)c[i * columns + j], sum);
        }
}

static void the_processors_products_are_right_in_every_form(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 1, 1},    {3, 5, 7},       {12, 32, 2},   {13, 33, 3},
                                   {97, 70, 41}, {100, 260, 515}, {5, 300, 1030}};
    if (!bfloat16_product_is_available())
        skip();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 8; form++) {
            Arena *arena = arena_new(NULL);
            check_product(arena, sizes[i][0], sizes[i][1], sizes[i][2], form & 1, form & 2, form & 4);
            arena_free(arena);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_number_stays_itself),
        cmocka_unit_test(between_two_halves_the_nearer_wins_and_ties_go_to_the_even),
        cmocka_unit_test(what_is_too_large_or_too_small_becomes_infinite_or_zero),
        cmocka_unit_test(all_kernels_round_alike),
        cmocka_unit_test(products_read_halves_and_round_once),
        cmocka_unit_test(a_gradient_is_half_where_its_tensor_is_and_float32_at_the_weight),
        cmocka_unit_test(a_weight_is_cast_once_however_often_it_is_read),
        cmocka_unit_test(types_meet_as_in_pytorch),
        cmocka_unit_test(the_processors_products_are_right_in_every_form),
        cmocka_unit_test(a_mean_of_halves_does_not_overflow_where_its_sum_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
