/*
 * variables.h - the environment in which a program that knows nothing of forebayd
 * sends its requests through it: what `forebay env` prints and `forebay exec` sets.
 */
#ifndef CLIENT_VARIABLES_H
#define CLIENT_VARIABLES_H

#include "client/arguments.h"
#include "client/session.h"

#define VARIABLES_MAX 16

struct variable {
	const char *name;
	char *value; /* owned; NULL: is removed */
};

struct variables {
	struct variable rows[VARIABLES_MAX];
	size_t count;
};

/*
 * By --http-socket, $FOREBAY_HTTP_SOCKET, or where the daemon has its HTTP socket:
 * beside --socket, in /run/forebay, in $XDG_RUNTIME_DIR/forebay. With --tcp by that
 * port, and the token of --token-file. False: something is wrong, and has been said.
 */
MUST_CHECK bool variables_find(struct session *session, const struct arguments *arguments,
			       struct variables *ret);
void variables_clear(struct variables *variables);

enum shell { SHELL_SH, SHELL_FISH, SHELL_CSH };

/* One line that sets or removes the variable when shell reads it, whatever bytes it
 * holds; owned by the caller. NULL: no memory, or the shell has no way to say it. */
char *variable_put(const struct variable *variable, enum shell shell);

/* given with the line "name: value" added, and without other lines of this name; given
 * may be NULL. Owned by the caller; NULL: no memory. */
char *variable_add_header(const char *given, const char *name, const char *value);

#endif
