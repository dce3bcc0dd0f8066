#include "optim/clip.h"

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

enum { BLOCK = 4096 };

size_t KERNEL(clip_clamp)(float *gradient, size_t n, float limit)
{
    size_t changed = 0;
    for (size_t done = 0; done < n; done += BLOCK) {
        size_t end = n - done < BLOCK ? n : done + BLOCK;
        int outside = 0;
        for (size_t i = done; i < end; i++) {
            float g = gradient[i];
            float above = g < -limit ? -limit : g;
            gradient[i] = above > limit ? limit : above;
            outside += (g < -limit) | (g > limit);
        }
        changed += (size_t)outside;
    }
    return changed;
}

#endif
