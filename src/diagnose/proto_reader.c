#include "diagnose/proto_reader.h"

#include <math.h>
#include <string.h>

ProtoReader proto_reader(const unsigned char *bytes, size_t count)
{
    return (ProtoReader){bytes, bytes + count, false};
}

ProtoReader proto_message(const ProtoField *field)
{
    static const unsigned char nothing[1];
    return field->type == PROTO_BYTES ? proto_reader(field->bytes, field->count) : proto_reader(nothing, 0);
}

bool proto_varint(ProtoReader *reader, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

uint64_t proto_little_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static bool read_fixed(ProtoReader *reader, int bytes, uint64_t *value)
{
    if (reader->end - reader->at < bytes)
        return false;
    *value = proto_little_endian(reader->at, bytes);
    reader->at += bytes;
    return true;
}

static bool read_bytes(ProtoReader *reader, ProtoField *field)
{
    uint64_t count;
    if (!proto_varint(reader, &count) || count > (uint64_t)(reader->end - reader->at))
        return false;
    field->bytes = reader->at;
    field->count = (size_t)count;
    reader->at += count;
    return true;
}

static bool read_field(ProtoReader *reader, ProtoField *field)
{
    uint64_t key;
    if (!proto_varint(reader, &key) || key >> 3 == 0 || key >> 32 != 0)
        return false;
    *field = (ProtoField){.number = (uint32_t)(key >> 3)};
    switch (key & 7) {
    case PROTO_VARINT:
        field->type = PROTO_VARINT;
        return proto_varint(reader, &field->bits);
    case PROTO_FIXED64:
        field->type = PROTO_FIXED64;
        return read_fixed(reader, 8, &field->bits);
    case PROTO_BYTES:
        field->type = PROTO_BYTES;
        return read_bytes(reader, field);
    case PROTO_FIXED32:
        field->type = PROTO_FIXED32;
        return read_fixed(reader, 4, &field->bits);
    default: /* groups, which proto3 does not have */
        return false;
    }
}

bool proto_next(ProtoReader *reader, ProtoField *field)
{
    if (reader->is_broken || reader->at == reader->end)
        return false;
    reader->is_broken = !read_field(reader, field);
    return !reader->is_broken;
}

static double float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double proto_number(const ProtoField *field)
{
    return field->type == PROTO_FIXED64   ? double_of(field->bits)
           : field->type == PROTO_FIXED32 ? float_of((uint32_t)field->bits)
                                          : (double)NAN;
}

double proto_double_at(const unsigned char *bytes)
{
    return double_of(proto_little_endian(bytes, 8));
}

double proto_float_at(const unsigned char *bytes)
{
    return float_of((uint32_t)proto_little_endian(bytes, 4));
}

bool proto_is(const ProtoField *field, const char *text)
{
    return field->type == PROTO_BYTES && field->count == strlen(text) && memcmp(field->bytes, text, field->count) == 0;
}
