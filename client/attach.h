/*
 * attach.h - files as content blocks of a Messages request.
 */
#ifndef CLIENT_ATTACH_H
#define CLIENT_ATTACH_H

#include "protocol/base.h"
#include "protocol/jsonput.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Write the block for a file named path with these bytes: an image or a PDF by
 * its first bytes, else text with its name before it. False: it is neither (text
 * has to be UTF-8).
 */
MUST_CHECK bool attach_put(struct jsonput *put, const char *path, const char *bytes, size_t len);

#endif
