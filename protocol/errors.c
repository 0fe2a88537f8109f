/*
 * errors.c - the error table as rows; see errors.h.
 */
#include "protocol/errors.h"

#include <string.h>

static const struct error_row {
	const char *wire;
	bool retry;
	int exit_code;
	const char *text;
} rows[] = {
#define X(name, wire, retry, exit_code, text)                                                      \
	[FOREBAY_ERR_##name] = { wire, retry, exit_code, text },
	FOREBAY_ERRORS(X)
#undef X
};

static const struct error_row *
row_of(int err)
{
	static const struct error_row unknown = { "unknown", false, 1, "unknown error" };

	return err >= 0 && err < FOREBAY_ERR_COUNT ? &rows[err] : &unknown;
}

const char *
forebay_err_wire(int err)
{
	return row_of(err)->wire;
}

const char *
forebay_err_text(int err)
{
	return row_of(err)->text;
}

bool
forebay_err_retryable(int err)
{
	return row_of(err)->retry;
}

int
forebay_err_exit_code(int err)
{
	return row_of(err)->exit_code;
}

enum forebay_err
forebay_err_from_wire(const char *wire)
{
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++)
		if (strcmp(rows[err].wire, wire) == 0)
			return err;
	return FOREBAY_ERR_INTERNAL;
}
