/* The ten digits, drawn: each is one stroke of straight pieces, turned, slanted, scaled, shifted and thickened at random,
 * and painted with soft edges. They are synthetic; no handwriting was copied. */
#include <math.h>

#include "data/reader.h"

#define SIZE 28
#define STROKE_LENGTH 17 /* points at most */
#define BOX 22.0         /* pixels of the unit square that the strokes are drawn in */

typedef struct Point {
    double x, y;
} Point;

typedef struct Stroke {
    int count;
    Point point[STROKE_LENGTH]; /* x to the right, y down, in the unit square */
} Stroke;

static const Stroke strokes[10] = {
    {13,
     {{.76, .50},
      {.72, .70},
      {.62, .85},
      {.50, .90},
      {.38, .85},
      {.28, .70},
      {.24, .50},
      {.28, .30},
      {.38, .15},
      {.50, .10},
      {.62, .15},
      {.72, .30},
      {.76, .50}}},
    {3, {{.36, .26}, {.54, .10}, {.54, .90}}},
    {8, {{.24, .28}, {.32, .15}, {.50, .10}, {.68, .16}, {.75, .30}, {.70, .45}, {.24, .90}, {.78, .90}}},
    {11,
     {{.26, .17},
      {.42, .10},
      {.62, .12},
      {.72, .26},
      {.66, .40},
      {.46, .47},
      {.68, .54},
      {.76, .70},
      {.66, .85},
      {.46, .91},
      {.25, .83}}},
    {4, {{.62, .90}, {.62, .10}, {.22, .64}, {.80, .64}}},
    {9, {{.74, .10}, {.32, .10}, {.28, .45}, {.48, .39}, {.68, .46}, {.76, .64}, {.68, .82}, {.48, .91}, {.26, .83}}},
    {11,
     {{.66, .12},
      {.44, .22},
      {.29, .45},
      {.26, .68},
      {.36, .86},
      {.54, .91},
      {.71, .82},
      {.74, .65},
      {.64, .52},
      {.46, .50},
      {.29, .61}}},
    {3, {{.22, .10}, {.78, .10}, {.44, .90}}},
    {17,
     {{.50, .47},
      {.33, .39},
      {.28, .26},
      {.36, .14},
      {.50, .10},
      {.64, .14},
      {.72, .26},
      {.67, .39},
      {.50, .47},
      {.30, .57},
      {.24, .72},
      {.33, .86},
      {.50, .91},
      {.67, .86},
      {.76, .72},
      {.70, .57},
      {.50, .47}}},
    {11,
     {{.71, .36},
      {.56, .49},
      {.38, .48},
      {.27, .35},
      {.30, .18},
      {.46, .09},
      {.62, .13},
      {.71, .26},
      {.71, .36},
      {.69, .62},
      {.60, .90}}},
};

static int clamp_pixel(double x)
{
    return x < 0 ? 0 : x > SIZE - 1 ? SIZE - 1 : (int)x;
}

/* The straight piece from a to b: a pixel's ink follows from its distance to the nearest point of the piece, and fades over
 * one pixel at the edge. Where pieces meet, the darker one counts. */
static void paint(float *image, Point a, Point b, double radius)
{
    double reach = radius + 0.5, dx = b.x - a.x, dy = b.y - a.y, length2 = fmax(dx * dx + dy * dy, 1e-9);
    int left = clamp_pixel(fmin(a.x, b.x) - reach), right = clamp_pixel(fmax(a.x, b.x) + reach);
    int top = clamp_pixel(fmin(a.y, b.y) - reach), bottom = clamp_pixel(fmax(a.y, b.y) + reach);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            double along = ((x - a.x) * dx + (y - a.y) * dy) * (1 / length2);
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            double rx = x - a.x - along * dx, ry = y - a.y - along * dy, distance2 = rx * rx + ry * ry;
            if (distance2 >= reach * reach)
                continue;
            float ink = (float)fmin(reach - sqrt(distance2), 1);
            image[y * SIZE + x] = fmaxf(image[y * SIZE + x], ink);
        }
}

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    size_t digit = index % (size_t)options->classes;
    const Stroke *stroke = &strokes[digit];
    double angle = draw_uniform(draws, -0.2, 0.2), slant = draw_uniform(draws, -0.2, 0.2);
    double width = BOX * draw_uniform(draws, 0.8, 1.1), height = BOX * draw_uniform(draws, 0.85, 1.1);
    double centre_x = (SIZE - 1) / 2.0 + draw_uniform(draws, -2, 2), centre_y = (SIZE - 1) / 2.0 + draw_uniform(draws, -2, 2);
    double radius = draw_uniform(draws, 0.7, 1.6);
    double cosine = cos(angle), sine = sin(angle);
    Point last = {0};
    for (int i = 0; i < stroke->count; i++) {
        double y = (stroke->point[i].y - 0.5) * height + draw_uniform(draws, -0.3, 0.3);
        double x = (stroke->point[i].x - 0.5) * width - slant * y + draw_uniform(draws, -0.3, 0.3);
        Point next = {centre_x + x * cosine - y * sine, centre_y + x * sine + y * cosine};
        if (i > 0)
            paint(input, last, next, radius);
        last = next;
    }
    for (int i = 0; options->noise > 0 && i < SIZE * SIZE; i++) {
        double value = (double)input[i] + options->noise * draw_normal(draws);
        input[i] = (float)(value < 0 ? 0 : value > 1 ? 1 : value);
    }
    target[0] = (float)digit;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    if (!reader_in_range(object, "classes", generator->classes, 1, 10, err))
        return false;
    into->input = SHAPE(1, SIZE, SIZE);
    into->target_classes = (int)generator->classes;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_CLASSES("10", "the digits below this, at most 10"),
    GENERATOR_NOISE("0", "deviation added to every pixel, which stays in [0, 1]"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_digits = {"digits", "the ten digits as random strokes, 28x28, pixels in [0, 1]", fields,
                                  sizeof(Generator), read};
