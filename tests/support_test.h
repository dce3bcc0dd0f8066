/* What every test program includes: cmocka with its prerequisites, and the usual comparisons. */
#ifndef GRADTOOL_TESTS_SUPPORT_TEST_H
#define GRADTOOL_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Fails unless |actual - expected| <= tolerance; NaN is near nothing. */
#define assert_near(actual, expected, tolerance)                                                                               \
    do {                                                                                                                       \
        double actual_ = (double)(actual), expected_ = (double)(expected);                                                     \
        if (!(actual_ - expected_ <= (tolerance) && expected_ - actual_ <= (tolerance)))                                       \
            fail_msg("%s is %.17g, expected %.17g", #actual, actual_, expected_);                                              \
    } while (0)

/* The folder of the test data, from the repository's root where the tests run. */
#define TEST_DATA "tests/data/"

#endif
