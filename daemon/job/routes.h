/*
 * routes.h - routes, interned by their text.
 */
#ifndef DAEMON_JOB_ROUTES_H
#define DAEMON_JOB_ROUTES_H

#include "daemon/job/lanes.h"

/* NULL when there is none of that text. */
struct route *routes_find(struct route *routes, const char *text);
/* text must be new. Borrowed. */
struct route *routes_add(struct route **routes, const char *text);
void routes_free(struct route **routes);

/* The canonical text of models (count >= 1), batch mode and the name of a chain
 * (NULL: none); owned by the caller. */
char *route_text(const char *const *models, size_t count, int batch, const char *chain);

#endif
