/*
 * bytes.c - see bytes.h.
 */
#include "daemon/claude/bytes.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

bool
bytes_add(struct bytes *bytes, const void *more, size_t len)
{
	size_t size = MAX(bytes->size, (size_t)FIRST_SIZE);

	if (len > SIZE_MAX / 4 || bytes->len > SIZE_MAX / 4)
		return false;
	while (size < bytes->len + len + 1)
		size *= 2;
	if (size != bytes->size) {
		uint8_t *grown = realloc(bytes->at, size);

		if (!grown)
			return false;
		bytes->at = grown;
		bytes->size = size;
	}
	if (len > 0)
		memcpy(bytes->at + bytes->len, more, len);
	bytes->len += len;
	bytes->at[bytes->len] = '\0';
	return true;
}

void
bytes_clear(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){ 0 };
}
