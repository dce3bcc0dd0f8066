/* Version 1.0: magic word, version, two bytes of length, the dict padded so that the numbers begin at a multiple of 64. */
#include "tensor/npy_file.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { ALIGNMENT = 64, LENGTH_AT = 8, DICT_AT = 10, NUMBER_BYTES = 4 };

static Text header_of(size_t samples, Shape shape, bool integers, Arena *scratch)
{
    Text text = text_new(scratch);
    text_add_bytes(&text, "\x93NUMPY\x01\x00\x00\x00", DICT_AT);
    text_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,", integers ? "<i4" : "<f4", samples);
    for (int i = 0; i < shape.rank; i++)
        text_printf(&text, i ? ", %d" : " %d", shape.dim[i]);
    text_add(&text, "), }");
    while ((text.length + 1) % ALIGNMENT != 0)
        text_add_char(&text, ' ');
    text_add_char(&text, '\n');
    text.at[LENGTH_AT] = (char)((text.length - DICT_AT) & 0xff);
    text.at[LENGTH_AT + 1] = (char)((text.length - DICT_AT) >> 8);
    return text;
}

bool npy_file_write(const char *path, size_t samples, Shape shape, const float *values, bool integers, Arena *scratch,
                    Error *err)
{
    const size_t count = samples * shape_count(shape);
    const Text header = header_of(samples, shape, integers, scratch);
    unsigned char *content = arena_try(scratch, header.length + NUMBER_BYTES * count);
    if (!content)
        return error_in_file(err, path, 0, 0, "no memory for the %zu numbers of this file", count);
    memcpy(content, header.at, header.length);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if (integers)
            bits = (uint32_t)(int32_t)values[i];
        for (int k = 0; k < NUMBER_BYTES; k++)
            content[header.length + NUMBER_BYTES * i + (size_t)k] = (unsigned char)(bits >> 8 * k);
    }
    return file_write(path, content, header.length + NUMBER_BYTES * count, err);
}
