/*
 * secret.h - the API key: the only module that holds it.
 *
 * Read from $CREDENTIALS_DIRECTORY (files key_*, ekey_*, forebay.key.*, key;
 * the first by name), else from key_file (refused if readable by group or
 * others, or owned by somebody else), else from $ANTHROPIC_API_KEY for
 * foreground tries, which is then removed from the environment. Kept in locked
 * memory that core dumps leave out; wiped when freed.
 */
#ifndef DAEMON_BASE_SECRET_H
#define DAEMON_BASE_SECRET_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>

struct secret;

enum secret_auth { SECRET_AUTH_BEARER, SECRET_AUTH_X_API_KEY };

/*
 * Never exits and never fails the daemon: without a usable key *ret is NULL,
 * the reason has been logged once and stands in why (a sentence with what to
 * do), and the result is FOREBAY_ERR_AUTH_FAILED. key_file may be NULL.
 * $ANTHROPIC_API_KEY is wiped whichever source won, so a reload does not find it
 * again: a reload that finds no key keeps the secret it has.
 */
MUST_CHECK enum forebay_err secret_load(const char *key_file, enum secret_auth auth,
					struct secret **ret, char *why, size_t why_len);
void secret_free(struct secret *secret); /* accepts NULL; wipes */

/*
 * The whole request header line, "Authorization: Bearer ..." or "x-api-key:
 * ...", without a line end. Borrowed, in the locked memory: point at it, do
 * not copy it.
 */
const char *secret_header(const struct secret *secret);

/* "sha256:1a2b3c4d ...wxyz": what people may see. Borrowed. */
const char *secret_fingerprint(const struct secret *secret);

#endif
