/* Protocol buffers read field by field, in place. https://protobuf.dev/programming-guides/encoding */
#ifndef GRADTOOL_DIAGNOSE_PROTO_READER_H
#define GRADTOOL_DIAGNOSE_PROTO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ProtoType { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 } ProtoType;

typedef struct ProtoField {
    uint32_t number;
    ProtoType type;
    uint64_t bits;              /* of the types but PROTO_BYTES */
    const unsigned char *bytes; /* of PROTO_BYTES: a string, a message or packed numbers */
    size_t count;
} ProtoField;

typedef struct ProtoReader {
    const unsigned char *at, *end;
    bool is_broken;
} ProtoReader;

ProtoReader proto_reader(const unsigned char *bytes, size_t count);
/* The message in a field; one without any field where it is not of type PROTO_BYTES. */
ProtoReader proto_message(const ProtoField *field);
/* False at the end, and for what is no message: then is_broken is set. */
bool proto_next(ProtoReader *reader, ProtoField *field);

/* The next of packed whole numbers; false at the end. */
bool proto_varint(ProtoReader *reader, uint64_t *value);
/* A double or float field as a number; NaN of other types. */
double proto_number(const ProtoField *field);
uint64_t proto_little_endian(const unsigned char *bytes, int count);
/* The number of this kind, from raw little-endian bytes. */
double proto_double_at(const unsigned char *bytes);
double proto_float_at(const unsigned char *bytes);
/* Whether a string field is exactly this text. */
bool proto_is(const ProtoField *field, const char *text);

#endif
