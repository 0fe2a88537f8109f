/*
 * answer.h - wait for one job's answer on a stream and print it, as it comes or
 * at the end. ask, submit --wait, follow and result end here.
 */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include "client/session.h"

enum answer_form {
	ANSWER_TEXT,   /* the words */
	ANSWER_BYTES,  /* the API's message, byte for byte */
	ANSWER_EVENTS, /* the raw event stream */
};

/*
 * Read stream to its end and print. With live the words are printed as they
 * come; an attempt that breaks off is taken back with a remark. Returns the exit
 * code; everything has been said.
 */
int answer_print(struct session *session, uint32_t stream, enum answer_form form, bool live);

/* The exit code of a job that has ended, from the reply of result; says on stderr
 * why there is no answer. */
int answer_outcome(struct session *session, const struct message *reply);

#endif
