/*
 * digest.h - SHA-256: the identity of a request body, and the fingerprint of
 * a key. The only file that includes OpenSSL (libcurl has it loaded anyway).
 */
#ifndef DAEMON_BASE_DIGEST_H
#define DAEMON_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32

/* One piece, or several: start, add..., end. */
void digest_sha256(const void *data, size_t len, uint8_t ret[static DIGEST_LEN]);

struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t len);
/* Frees digest. */
void digest_end(struct digest *digest, uint8_t ret[static DIGEST_LEN]);
/* For a body that was abandoned half-way; accepts NULL. */
void digest_free(struct digest *digest);

/* Lower-case hex of the first count bytes, with a NUL: 2 * count + 1 bytes. */
void digest_hex(const uint8_t *digest, size_t count, char *ret);

#endif
