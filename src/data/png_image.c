/* PNG by libpng's classic interface: its simplified one converts 16 bits by a gamma and blends transparency. */
#include "data/png_image.h"

#include <png.h>
#include <string.h>

#include "base/file.h"

enum { SIDE_LIMIT = 1 << 16, BYTES_LIMIT = 1 << 29 };

/* All that outlives libpng's longjmp. */
typedef struct Decoder {
    Arena *arena;
    Bytes bytes;
    size_t at;
    png_structp png;
    png_infop info;
    char message[120];
    PngImage *image;
    unsigned char *samples;
    png_bytep *row;
} Decoder;

static void fail(png_structp png, png_const_charp message)
{
    Decoder *d = png_get_error_ptr(png);
    strncpy(d->message, message, sizeof d->message - 1);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void take_bytes(png_structp png, png_bytep into, size_t count)
{
    Decoder *d = png_get_io_ptr(png);
    if (count > d->bytes.count - d->at)
        png_error(png, "the file is cut short");
    memcpy(into, d->bytes.at + d->at, count);
    d->at += count;
}

static void convert(const Decoder *d)
{
    png_set_expand(d->png);
    png_set_strip_alpha(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
}

static bool decode(Decoder *d)
{
    if (setjmp(png_jmpbuf(d->png)))
        return false;
    png_set_read_fn(d->png, d, take_bytes);
    png_set_user_limits(d->png, SIDE_LIMIT, SIDE_LIMIT);
    png_read_info(d->png, d->info);
    convert(d);
    PngImage *image = d->image;
    image->height = (int)png_get_image_height(d->png, d->info);
    image->width = (int)png_get_image_width(d->png, d->info);
    image->channels = png_get_channels(d->png, d->info);
    image->depth = png_get_bit_depth(d->png, d->info);
    size_t row_bytes = png_get_rowbytes(d->png, d->info);
    if (row_bytes * (size_t)image->height > BYTES_LIMIT)
        png_error(d->png, "it is too large");
    d->samples = arena_try(d->arena, row_bytes * (size_t)image->height);
    d->row = arena_try(d->arena, sizeof(png_bytep) * (size_t)image->height);
    if (!d->samples || !d->row)
        png_error(d->png, "no memory for its pixels");
    for (int i = 0; i < image->height; i++)
        d->row[i] = d->samples + (size_t)i * row_bytes;
    png_read_image(d->png, d->row);
    png_read_end(d->png, NULL);
    image->samples = d->samples;
    return true;
}

bool png_image_read(Arena *arena, const char *path, PngImage *image, Error *err)
{
    Decoder d = {.arena = arena, .image = image};
    if (!file_read(arena, path, &d.bytes, err))
        return false;
    if (d.bytes.count < 8 || png_sig_cmp(d.bytes.at, 0, 8))
        return error_in_file(err, path, 0, 0, "no PNG file: it does not begin with PNG's eight bytes");
    d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, fail, ignore);
    d.info = d.png ? png_create_info_struct(d.png) : NULL;
    bool is_read = d.info && decode(&d);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    return is_read || error_in_file(err, path, 0, 0, "the PNG file cannot be read: %s", d.message[0] ? d.message : "no memory");
}

void png_image_floats(const PngImage *image, float *into)
{
    const size_t pixels = (size_t)image->height * (size_t)image->width, channels = (size_t)image->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            const size_t at = i * channels + c;
            if (image->depth == 16)
                *into++ = (float)(image->samples[2 * at] << 8 | image->samples[2 * at + 1]) / 65535.0f;
            else
                *into++ = (float)image->samples[at] / 255.0f;
        }
}
