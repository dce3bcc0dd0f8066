/* CRC-32C (Castagnoli), as TFRecord files have it. */
#ifndef GRADTOOL_BASE_CRC32C_H
#define GRADTOOL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Reflected polynomial 0x82f63b78, start and final xor 0xffffffff: "123456789" gives 0xe3069283. */
uint32_t crc32c(const void *bytes, size_t count);
/* TensorFlow's rotation, so that the checksum of data that holds checksums is not weak (tensorflow/core/lib/hash/crc32c.h). */
uint32_t crc32c_masked(const void *bytes, size_t count);

#endif
