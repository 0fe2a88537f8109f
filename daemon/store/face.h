/*
 * face.h - what calls.c needs of store.c. Private to daemon/store/.
 */
#ifndef DAEMON_STORE_FACE_H
#define DAEMON_STORE_FACE_H

#include "daemon/store/op.h"

/* Append to the batch being filled; takes op. */
void store_add(struct store *store, struct op *op);

#endif
