#include "render/palette.h"

#include <math.h>
#include <string.h>

enum { STOPS = 33 };

struct Palette {
    const char *name;
    uint32_t stops[STOPS];
};

/* Every eighth colour of the published tables (van der Walt & Smith 2015; cividis: Nunez, Anderton & Renslow 2018). Between
 * them a straight line is within two levels of the table. */
static const Palette palettes[] = {
    {"viridis", {0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453781, 0x424086, 0x3e4989, 0x3b528b, 0x375b8d, 0x33638d,
                 0x2f6b8e, 0x2c728e, 0x297a8e, 0x26828e, 0x23898e, 0x21918c, 0x1f978b, 0x1f9f88, 0x21a685, 0x27ad81, 0x31b57b,
                 0x3dbc74, 0x4cc26c, 0x5cc863, 0x6ece58, 0x81d34d, 0x95d840, 0xaadc32, 0xc0df25, 0xd5e21a, 0xeae51a, 0xfde725}},
    {"cividis", {0x00224e, 0x00285b, 0x002e6a, 0x053371, 0x1a386f, 0x273e6e, 0x32436d, 0x3b496c, 0x434e6c, 0x4b546c, 0x535a6d,
                 0x5a5f6e, 0x61656f, 0x686a71, 0x6f7073, 0x767676, 0x7d7c78, 0x838179, 0x8b8778, 0x928d78, 0x9a9376, 0xa29975,
                 0xaaa073, 0xb3a670, 0xbbad6d, 0xc3b369, 0xccba64, 0xd4c15f, 0xddc858, 0xe6d051, 0xefd748, 0xf8df3c, 0xfee838}},
    {"magma", {0x000004, 0x030312, 0x0a0822, 0x130d34, 0x1d1147, 0x29115a, 0x36106b, 0x440f76, 0x51127c, 0x5d177f, 0x6a1c81,
               0x762181, 0x832681, 0x902a81, 0x9c2e7f, 0xaa337d, 0xb73779, 0xc23b75, 0xcf4070, 0xdb476a, 0xe55064, 0xee5b5e,
               0xf4695c, 0xf9785d, 0xfb8761, 0xfd9668, 0xfea571, 0xfeb47b, 0xfec287, 0xfed194, 0xfde0a1, 0xfceeb0, 0xfcfdbf}},
    {"inferno", {0x000004, 0x040312, 0x0b0724, 0x150b37, 0x210c4a, 0x2f0a5b, 0x3d0965, 0x4a0c6b, 0x57106e, 0x64156e, 0x71196e,
                 0x7d1e6d, 0x8a226a, 0x972766, 0xa32c61, 0xb0315b, 0xbc3754, 0xc63d4d, 0xd04545, 0xda4e3c, 0xe35933, 0xeb6429,
                 0xf1711f, 0xf67e14, 0xf98c0a, 0xfb9b06, 0xfcaa0f, 0xfbba1f, 0xf9c932, 0xf5d949, 0xf2e865, 0xf3f586, 0xfcffa4}},
    {"gray", {0}},
};
enum { PALETTES = sizeof palettes / sizeof *palettes };

const Palette *palette_find(const char *name, Error *err)
{
    const char *names[PALETTES];
    for (int i = 0; i < PALETTES; i++) {
        names[i] = palettes[i].name;
        if (!name || strcmp(name, names[i]) == 0)
            return &palettes[i];
    }
    error_add(err, "there is no palette `%s`", name);
    error_suggest(err, name, names, PALETTES);
    return NULL;
}

static uint8_t mixed(uint32_t from, uint32_t to, int shift, double part)
{
    double a = from >> shift & 0xff, b = to >> shift & 0xff;
    return (uint8_t)lround(a + (b - a) * part);
}

Colour palette_colour(const Palette *palette, double at)
{
    at = at > 0 ? fmin(at, 1) : 0;
    if (palette->stops[STOPS - 1] == 0) {
        uint8_t level = (uint8_t)lround(255 * at);
        return (Colour){level, level, level};
    }
    int stop = (int)fmin(at * (STOPS - 1), STOPS - 2);
    double part = at * (STOPS - 1) - stop;
    uint32_t from = palette->stops[stop], to = palette->stops[stop + 1];
    return (Colour){mixed(from, to, 16, part), mixed(from, to, 8, part), mixed(from, to, 0, part)};
}

Colour palette_line(int index)
{
    static const Colour colours[PALETTE_LINES] = {
        {0x00, 0x72, 0xb2}, {0xd5, 0x5e, 0x00}, {0x00, 0x9e, 0x73}, {0xcc, 0x79, 0xa7},
        {0xe6, 0x9f, 0x00}, {0x56, 0xb4, 0xe9}, {0xf0, 0xe4, 0x42}, {0x00, 0x00, 0x00},
    };
    int place = index % PALETTE_LINES;
    return colours[place < 0 ? place + PALETTE_LINES : place];
}
