/*
 * digest.c - SHA-256 by OpenSSL. A digest that fails is a broken library, which
 * nobody above could do anything about: fatal().
 */
#include "daemon/base/digest.h"

#include "daemon/base/log.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *context; /* owned */
};

void
digest_sha256(const void *data, size_t len, uint8_t ret[static DIGEST_LEN])
{
	if (!EVP_Digest(len ? data : "", len, ret, NULL, EVP_sha256(), NULL))
		fatal("SHA-256 failed");
}

struct digest *
digest_new(void)
{
	struct digest *digest = must_alloc(sizeof(*digest));

	digest->context = EVP_MD_CTX_new();
	if (!digest->context || !EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL))
		fatal("SHA-256 failed");
	return digest;
}

void
digest_add(struct digest *digest, const void *data, size_t len)
{
	if (len > 0 && !EVP_DigestUpdate(digest->context, data, len))
		fatal("SHA-256 failed");
}

void
digest_end(struct digest *digest, uint8_t ret[static DIGEST_LEN])
{
	if (!EVP_DigestFinal_ex(digest->context, ret, NULL))
		fatal("SHA-256 failed");
	digest_free(digest);
}

void
digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

void
digest_hex(const uint8_t *digest, size_t count, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[2 * count] = '\0';
}
