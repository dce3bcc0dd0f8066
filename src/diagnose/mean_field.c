/* Gauss-Legendre quadrature on pieces that end where the normal density or the function changes its character: kinks stand at
 * the end of a piece, where they cost no accuracy. */
#include "diagnose/mean_field.h"

#include <math.h>
#include <string.h>

struct MeanFieldFunction {
    const char *name;
    double (*value)(double x, double slope);
    double (*derivative)(double x, double slope);
};

static const double root_half = 0.70710678118654752440, inverse_root_2pi = 0.39894228040143267794;
static const double selu_alpha = 1.6732632423543772848, selu_scale = 1.0507009873554804934;

static double normal_density(double x)
{
    return inverse_root_2pi * exp(-x * x / 2);
}

static double normal_distribution(double x)
{
    return 0.5 * erfc(-x * root_half);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

#define FUNCTION(name, value_of_x, derivative_of_x)                                                                            \
    static double name##_value(double x, double slope)                                                                         \
    {                                                                                                                          \
        (void)slope;                                                                                                           \
        return value_of_x;                                                                                                     \
    }                                                                                                                          \
    static double name##_derivative(double x, double slope)                                                                    \
    {                                                                                                                          \
        (void)slope, (void)x;                                                                                                  \
        return derivative_of_x;                                                                                                \
    }
FUNCTION(identity, x, 1)
FUNCTION(relu, fmax(x, 0), x > 0)
FUNCTION(leaky_relu, x > 0 ? x : slope * x, x > 0 ? 1 : slope)
FUNCTION(elu, x > 0 ? x : expm1(x), x > 0 ? 1 : exp(x))
FUNCTION(selu, selu_scale *(x > 0 ? x : selu_alpha * expm1(x)), selu_scale *(x > 0 ? 1 : selu_alpha * exp(x)))
FUNCTION(gelu, x *normal_distribution(x), normal_distribution(x) + x * normal_density(x))
FUNCTION(silu, x *logistic(x), logistic(x) * (1 + x * logistic(-x)))
FUNCTION(sigmoid, logistic(x), logistic(x) * logistic(-x))
FUNCTION(tanh, tanh(x), 1 - tanh(x) * tanh(x))
FUNCTION(softplus, x > 30 ? x : log1p(exp(x)), logistic(x))
FUNCTION(hardtanh, fmax(-1, fmin(1, x)), fabs(x) < 1)

static const MeanFieldFunction functions[] = {
    {"", identity_value, identity_derivative},
    {"relu", relu_value, relu_derivative},
    {"leaky_relu", leaky_relu_value, leaky_relu_derivative},
    {"elu", elu_value, elu_derivative},
    {"selu", selu_value, selu_derivative},
    {"gelu", gelu_value, gelu_derivative}, /* its tanh approximation differs by less than 1e-3 */
    {"silu", silu_value, silu_derivative},
    {"sigmoid", sigmoid_value, sigmoid_derivative},
    {"tanh", tanh_value, tanh_derivative},
    {"softplus", softplus_value, softplus_derivative},
    {"hardtanh", hardtanh_value, hardtanh_derivative},
};

const MeanFieldFunction *mean_field_function(const char *layer_type)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, layer_type))
            return &functions[i];
    return NULL;
}

enum { RANGE = 9, CUTS_OF_Z = 7, CUTS_OF_X = 13, PIECE_LIMIT = CUTS_OF_Z + CUTS_OF_X + 2 };

/* The ends of the pieces of [-RANGE, RANGE]. Returns how many pieces there are. */
static int cut_range(double mean, double deviation, double end[PIECE_LIMIT])
{
    static const double of_z[CUTS_OF_Z] = {-6, -3, -1, 0, 1, 3, 6},
                        of_x[CUTS_OF_X] = {-30, -12, -5, -2.5, -1, -0.5, 0, 0.5, 1, 2.5, 5, 12, 30};
    int i = 0, k = 0, count = 1;
    end[0] = -RANGE;
    while (i < CUTS_OF_Z || k < CUTS_OF_X) {
        const double z = i < CUTS_OF_Z ? of_z[i] : INFINITY, x = k < CUTS_OF_X ? (of_x[k] - mean) / deviation : INFINITY;
        const double next = fmin(z, x);
        i += z <= x;
        k += x <= z;
        if (next > end[count - 1] && next < RANGE)
            end[count++] = next;
    }
    end[count] = RANGE;
    return count;
}

enum { HALF_POINTS = 5 };
/* Abramowitz & Stegun, table 25.4, n = 10. */
static const double point[HALF_POINTS] = {0.148874338981631211, 0.433395394129247191, 0.679409568299024406,
                                          0.865063366688984511, 0.973906528517171720};
static const double weight[HALF_POINTS] = {0.295524224714752870, 0.269266719309996355, 0.219086362515982044,
                                           0.149451349150580593, 0.066671344308688138};

/* Calls add(context, z, w) such that the sum of w f(z) is the average of f over the standard normal distribution. */
static void over_normal(double mean, double deviation, void (*add)(void *context, double z, double w), void *context)
{
    double end[PIECE_LIMIT];
    const int pieces = cut_range(mean, deviation, end);
    for (int i = 0; i < pieces; i++) {
        const double middle = (end[i] + end[i + 1]) / 2, half = (end[i + 1] - end[i]) / 2;
        for (int k = -HALF_POINTS; k < HALF_POINTS; k++) {
            const int at = k < 0 ? -1 - k : k;
            const double z = middle + (k < 0 ? -half : half) * point[at];
            add(context, z, half * weight[at] * normal_density(z));
        }
    }
}

/* Below it a deviation is as good as none: a relu, for one, does not care. */
static double at_least(double deviation)
{
    return fmax(deviation, 1e-150);
}

typedef struct Average {
    const MeanFieldFunction *function;
    double slope, mean, deviation;
    int among;
    MeanFieldMoments total;
} Average;

static void add_moments(void *context, double z, double w)
{
    Average *a = context;
    const double x = a->mean + a->deviation * z;
    if (a->among > 1)
        w *= a->among * pow(normal_distribution(z), a->among - 1);
    const double value = a->function->value(x, a->slope), slope = a->function->derivative(x, a->slope);
    a->total.mean += w * value;
    a->total.square += w * value * value;
    a->total.slope_2 += w * slope * slope;
    a->total.slope_4 += w * slope * slope * slope * slope;
}

MeanFieldMoments mean_field_moments(const MeanFieldFunction *function, double slope, double mean, double deviation, int among)
{
    Average a = {.function = function, .slope = slope, .mean = mean, .deviation = at_least(deviation), .among = among};
    over_normal(mean, a.deviation, add_moments, &a);
    return a.total;
}

static void add_value(void *context, double z, double w)
{
    Average *a = context;
    a->total.mean += w * a->function->value(a->mean + a->deviation * z, a->slope);
}

static double average_value(const MeanFieldFunction *function, double slope, double mean, double deviation)
{
    Average a = {.function = function, .slope = slope, .mean = mean, .deviation = deviation};
    over_normal(mean, deviation, add_value, &a);
    return a.total.mean;
}

typedef struct Product {
    Average given; /* of u where what u and v share is 0 */
    double shared; /* deviation of what they share */
    double total;
} Product;

static void add_product(void *context, double z, double w)
{
    Product *p = context;
    const double mean = average_value(p->given.function, p->given.slope, p->given.mean + p->shared * z, p->given.deviation);
    p->total += w * mean * mean;
}

/* u = mean + deviation (sqrt(c) t + sqrt(1 - c) e) and v likewise with the same t: given t they are independent, so that the
 * average of their product is that of a square. */
double mean_field_product(const MeanFieldFunction *function, double slope, double mean, double deviation, double correlation)
{
    const double all = at_least(deviation);
    if (correlation <= 0) {
        const double value = average_value(function, slope, mean, all);
        return value * value;
    }
    if (correlation >= 1)
        return mean_field_moments(function, slope, mean, all, 1).square;
    Product p = {.given = {.function = function, .slope = slope, .mean = mean, .deviation = all * sqrt(1 - correlation)},
                 .shared = all * sqrt(correlation)};
    over_normal(mean, all, add_product, &p);
    return p.total;
}
