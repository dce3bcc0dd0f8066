#include "render/font.h"

#include <string.h>

enum { BASELINE = 3, CURVE_PIECES = 4 };
#define SPACING 2.3

/* A glyph is its width and its strokes; a point is x and y, in hexadecimal. Descenders reach down to y = 0, the baseline is 3,
 * small letters end at 9, capitals at c. A stroke that begins with ~ is rounded: a quadratic B-spline of its points. */
static const char *const glyphs[] = {
    /*   */ "2",
    /* ! */ "00c06 0303",
    /* " */ "20c0a 2c2a",
    /* # */ "62c13 5c43 0969 0666",
    /* $ */ "6~6b5c1c0b096664531304 3e31",
    /* % */ "77c03 ~0b1c2c3b3a29190a0b ~455666757463534445",
    /* & */ "7~73191b2c3c4b490604134376",
    /* ' */ "00c0a",
    /* ( */ "2~2d090622",
    /* ) */ "2~0d292602",
    /* * */ "42c28 0b49 4b09",
    /* + */ "63a34 0767",
    /* , */ "11402",
    /* - */ "40747",
    /* . */ "00303",
    /* / */ "44d02",
    /* 0 */ "6~2343656a4c2c0a0523",
    /* 1 */ "61a3c33",
    /* 2 */ "6~0a1c5c6a6803 0363",
    /* 3 */ "6~0b1c4c6b694828 ~28486764431304",
    /* 4 */ "64c0565 4c43",
    /* 5 */ "65c1c08 ~0819496765431304",
    /* 6 */ "6~234365664828060523 ~5c2b0805",
    /* 7 */ "60c6c23",
    /* 8 */ "6~28485a5b4c2c1b1a28 ~234364674828070423",
    /* 9 */ "6~4c2c0a092747696a4c ~1344676a",
    /* : */ "00303 0808",
    /* ; */ "11402 1818",
    /* < */ "55a0754",
    /* = */ "60969 0565",
    /* > */ "50a5704",
    /* ? */ "5~0a1c4c5a582625 2323",
    /* @ */ "8~455566685949383645 ~6965858a6c2c0a052373",
    /* A */ "6033c63 1656",
    /* B */ "6030c ~0c4c6b694808 ~084867644303",
    /* C */ "6~6b4c2c0a05234364",
    /* D */ "6030c ~0c3c6a653303",
    /* E */ "55c0c0353 0848",
    /* F */ "55c0c03 0848",
    /* G */ "6~6b4c2c0a0523436568 6838",
    /* H */ "60c03 6c63 0868",
    /* I */ "00c03",
    /* J */ "4~4c45331305",
    /* K */ "60c03 6c06 2863",
    /* L */ "50c0353",
    /* M */ "8030c458c83",
    /* N */ "6030c636c",
    /* O */ "7~2353757a5c2c0a0523",
    /* P */ "6030c ~0c4c6b684707",
    /* Q */ "7~2353757a5c2c0a0523 4672",
    /* R */ "6030c ~0c4c6b684707 3763",
    /* S */ "6~6b5c1c0b096664531304",
    /* T */ "60c6c 3c33",
    /* U */ "6~0c052343656c",
    /* V */ "60c336c",
    /* W */ "80c234b638c",
    /* X */ "60c63 6c03",
    /* Y */ "60c37 6c37 3733",
    /* Z */ "60c6c0363",
    /* [ */ "22d0d0222",
    /* \ */ "40d42",
    /* ] */ "20d2d2202",
    /* ^ */ "40a2c4a",
    /* _ */ "60262",
    /* ` */ "20c2a",
    /* a */ "5~233355573929070523 5953",
    /* b */ "5~233355573929070523 0c03",
    /* c */ "5~5839290705233354",
    /* d */ "5~233355573929070523 5c53",
    /* e */ "50656 ~565839290705234354",
    /* f */ "3~3c1c1a13 0939",
    /* g */ "5~233355573929070523 ~5951301001",
    /* h */ "50c03 ~0629395753",
    /* i */ "00903 0c0c",
    /* j */ "2~29211000 2c2c",
    /* k */ "40c03 4905 1643",
    /* l */ "00c03",
    /* m */ "80903 ~0619394743 ~4659798783",
    /* n */ "50903 ~0629395753",
    /* o */ "5~233355573929070523",
    /* p */ "5~233355573929070523 0900",
    /* q */ "5~233355573929070523 5950",
    /* r */ "30903 ~061939",
    /* s */ "4~48391908074544331304",
    /* t */ "3~1c142333 0939",
    /* u */ "5~0905233356 5953",
    /* v */ "4092349",
    /* w */ "80923496389",
    /* x */ "40943 4903",
    /* y */ "40923 4910",
    /* z */ "409490343",
    /* { */ "3~3d1d1807161232",
    /* | */ "00d01",
    /* } */ "3~0d2d2837262202",
    /* ~ */ "6~06195668",
};
static const char dash[] = "80787", frame[] = "6030c6c6303";

static const char *glyph_of(unsigned code)
{
    if (code >= ' ' && code <= '~')
        return glyphs[code - ' '];
    return code == 0x2013 || code == 0x2014 ? dash : frame;
}

unsigned font_next(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    if (*p == 0)
        return 0;
    int more = *p >= 0xf0 && *p < 0xf8 ? 3 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xc2 && *p < 0xe0 ? 1 : 0;
    unsigned code = more == 3 ? *p & 7u : more == 2 ? *p & 15u : more == 1 ? *p & 31u : *p;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            (*text)++;
            return 0xfffd;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    *text += more + 1;
    return more == 0 && code >= 0x80 ? 0xfffd : code;
}

static int digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static FontPoint middle(FontPoint a, FontPoint b)
{
    return (FontPoint){(a.x + b.x) / 2, (a.y + b.y) / 2};
}

static int add_curve(FontSegment *segments, int count, FontPoint from, FontPoint corner, FontPoint to)
{
    FontPoint last = from;
    for (int i = 1; i <= CURVE_PIECES && count < FONT_SEGMENTS; i++) {
        float t = (float)i / CURVE_PIECES, u = 1 - t;
        FontPoint next = {u * u * from.x + 2 * u * t * corner.x + t * t * to.x,
                          u * u * from.y + 2 * u * t * corner.y + t * t * to.y};
        segments[count++] = (FontSegment){last, next};
        last = next;
    }
    return count;
}

static int add_stroke(FontSegment *segments, int count, const FontPoint *points, int n, int is_round)
{
    if (!is_round) {
        for (int i = 0; i + 1 < n && count < FONT_SEGMENTS; i++)
            segments[count++] = (FontSegment){points[i], points[i + 1]};
        return count;
    }
    int is_closed = points[0].x == points[n - 1].x && points[0].y == points[n - 1].y;
    FontPoint from = is_closed ? middle(points[0], points[1]) : points[0];
    for (int i = 1; i + 1 < n; i++) {
        FontPoint to = i + 2 == n && !is_closed ? points[n - 1] : middle(points[i], points[i + 1]);
        count = add_curve(segments, count, from, points[i], to);
        from = to;
    }
    return is_closed ? add_curve(segments, count, from, points[0], middle(points[0], points[1])) : count;
}

int font_glyph(unsigned code, FontSegment segments[FONT_SEGMENTS], double *advance)
{
    const char *p = glyph_of(code);
    *advance = digit(*p++) + SPACING;
    int count = 0;
    while (*p) {
        int is_round = *p == '~';
        p += is_round;
        FontPoint points[16] = {{0, 0}};
        int n = 0;
        for (; *p && *p != ' ' && n < 16; p += 2)
            points[n++] = (FontPoint){(float)digit(p[0]), (float)(digit(p[1]) - BASELINE)};
        count = add_stroke(segments, count, points, n, is_round);
        p += *p == ' ';
    }
    return count;
}

double font_width(const char *text, double size)
{
    double width = 0;
    for (unsigned code; (code = font_next(&text)) != 0;)
        width += digit(*glyph_of(code)) + SPACING;
    return width * size / FONT_EM;
}
