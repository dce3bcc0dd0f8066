/* An activation in the limit of infinite width: averages of it and of its derivative over a normal distribution.
 *
 * There the inputs of a layer's activation are normal, and a net is the sequence of their variances (Poole et al. 2016,
 * equation 3) and of the factors E[phi'^2] that the squared gradient takes on (Schoenholz et al. 2017, equation 5). */
#ifndef GRADTOOL_DIAGNOSE_MEAN_FIELD_H
#define GRADTOOL_DIAGNOSE_MEAN_FIELD_H

typedef struct MeanFieldFunction MeanFieldFunction;

/* The function of a layer type ("relu", "tanh", ...); NULL where it is not element by element or not known. "" is x itself. */
const MeanFieldFunction *mean_field_function(const char *layer_type);

typedef struct MeanFieldMoments {
    double mean, square;     /* E[phi(u)], E[phi(u)^2] */
    double slope_2, slope_4; /* E[phi'(u)^2], E[phi'(u)^4] */
} MeanFieldMoments;

/* Of u = mean + deviation z, z standard normal; where `among` > 1, of the largest of so many, as max pooling takes it after a
 * function that grows (n Phi(z)^(n-1) is the density's factor then). `slope` is leaky_relu's below 0. Relative error below 1e-9
 * of smooth functions and of those with kinks. */
MeanFieldMoments mean_field_moments(const MeanFieldFunction *function, double slope, double mean, double deviation, int among);

/* E[phi(u) phi(v)] for normal u, v of this mean and deviation that are correlated; 0 <= correlation <= 1. */
double mean_field_product(const MeanFieldFunction *function, double slope, double mean, double deviation, double correlation);

#endif
