/*
 * lib.h - the inside of libforebay: the handle, its unanswered requests, the
 * two buffers of its connection. Only forebay.c and lib_*.c include it.
 *
 *   forebay_submit --> waiting --(pump)--> open --(answered)--> freed
 *                         ^                 |
 *                         +-- broken link --+--> failed (not to be repeated)
 */
#ifndef CLIENT_LIB_H
#define CLIENT_LIB_H

#include "client/forebay.h"
#include "client/forebay_loop.h"
#include "protocol/base.h"
#include "protocol/frame.h"
#include "protocol/message.h"

#include <sys/queue.h>

#define LIB_MAX_UNANSWERED_BYTES (64u << 20)
#define LIB_MAX_UNANSWERED	 65536u
#define LIB_OUTPUT_MARK		 (256u << 10) /* no frame is added beyond this */

struct bytes {
	uint8_t *data; /* owned */
	size_t start;  /* of what is not consumed yet */
	size_t len;    /* of that */
	size_t size;
};

MUST_CHECK enum forebay_err bytes_reserve(struct bytes *bytes, size_t more);
MUST_CHECK enum forebay_err bytes_add(struct bytes *bytes, const void *data, size_t len);
void bytes_consume(struct bytes *bytes, size_t len);

/* A request whose stream has not ended. */
struct pending {
	TAILQ_ENTRY(pending) link;
	uint32_t stream;
	int verb;      /* enum forebay_verb; FOREBAY_VERB_COUNT: not known here */
	char *json;    /* owned; what is or was sent */
	uint8_t *body; /* owned; NULL: none */
	size_t body_len;
	size_t body_sent;
	size_t charge;	  /* bytes it counts for in the handle */
	bool head_sent;	  /* on this connection */
	bool sent_before; /* at least partly, on any connection */
	bool repeatable;
	bool ephemeral;
	bool answers;	   /* its reply is a job's result */
	bool replied;	   /* the REPLY has been handed out */
	uint64_t id;	   /* of its job; 0: not known yet */
	uint64_t attempt;  /* whose chunks were seen */
	uint64_t offset;   /* bytes of them */
	uint64_t data_len; /* bytes of DATA handed out */
	uint64_t skip;	   /* bytes of DATA to come that were handed out before */
	bool no_chunks;	   /* nobody asked for them */
	bool restart;	   /* tell that the chunks begin again */
	int64_t created_ms;
	int error;		   /* once failed */
	struct listener *listener; /* owned; its callbacks, or NULL */
	bool deaf;		   /* canceled by one of them: call no more */
};
TAILQ_HEAD(pending_list, pending);

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP };

struct forebay {
	/* configuration */
	char *path;  /* owned */
	char *agent; /* owned */
	int hello_ms, reconnect_ms;
	bool background;
	/* connection */
	enum link_state state;
	int fd; /* -1: none */
	struct bytes in, out;
	size_t in_taken; /* bytes at the start of in whose event is still borrowed */
	char *hello;	 /* owned */
	uint32_t max_frame, max_streams;
	int64_t hello_due_ms;
	int64_t up_since_ms;
	int64_t retry_at_ms, broken_ms; /* broken_ms 0: not broken */
	int64_t draining_ms;		/* since when it refuses for that; 0: it does not */
	int64_t pause_until_ms;		/* because of that nothing is sent before */
	unsigned tries;
	bool was_up;
	bool tell_lost, tell_back, tell_no_pong;
	size_t pings;
	/* unanswered; slots[stream & (slot_count - 1)] finds them */
	struct pending_list waiting, open, failed;
	struct pending **slots; /* owned */
	size_t slot_count, count, open_count, charged;
	uint32_t last_stream;
	/* what the last event lent out */
	struct message *fields; /* owned */
	struct pending *done;	/* owned; its last event is being looked at */
	/* callbacks */
	struct forebay_callbacks link; /* those of stream 0 */
	struct pending *served;	       /* borrowed; whose callbacks are called just now */
	bool dispatching;
	bool closing;	/* one of them has closed the handle */
	int error;	/* sticky: no memory */
	int link_error; /* why the connection broke last */
	char message[320];
};

/* forebay.c */
PRINTF_LIKE(3, 4) int lib_fail(struct forebay *f, int err, const char *fmt, ...);
int64_t lib_now_ms(void);
int lib_random(void *buf, size_t len);
/* forebay_next(), also for who calls the callbacks. */
MUST_CHECK int lib_next(struct forebay *f, int timeout_ms, struct forebay_event *ret);

/* lib_pending.c: the requests. json is taken on success; body is copied. */
int pending_add(struct forebay *f, char *json, const void *body, size_t len, uint32_t *ret_stream);
struct pending *pending_find(const struct forebay *f, uint32_t stream);
/* Off all lists and out of the slots; the caller frees it. */
void pending_remove(struct forebay *f, struct pending *pending);
void pending_free(struct pending *pending);
void pending_fail(struct forebay *f, struct pending *pending, int err);
void pending_fail_all(struct forebay *f, int err);
/* The connection is gone: what may be repeated waits again, the rest fails. */
void pending_rewind(struct forebay *f);
/* Not now (the daemon is draining): wait again at the head of the line, to go on
 * where it was cut. Not OK: it cannot be repeated, and stays where it is. */
MUST_CHECK int pending_postpone(struct forebay *f, struct pending *pending);

/* lib_link.c: the connection. */
MUST_CHECK int link_open(struct forebay *f);
void link_close(struct forebay *f);
/* It broke: close, and have it tried again or let everything fail. */
void link_broke(struct forebay *f, int err);
/* Connect when due, write, read: all that is possible without waiting. */
void link_step(struct forebay *f, int64_t now_ms);
/* The daemon has had enough of a body that is not all sent: end it. */
void link_end_body(struct forebay *f, const struct pending *pending);
/* Until when nothing happens by itself; -1: for ever. */
int link_due_ms(const struct forebay *f, int64_t now_ms);

/* lib_events.c: bytes of the daemon become events. True: *ret is one. */
bool events_take(struct forebay *f, struct forebay_event *ret);
/* A frame or a failure is here already, behind what is on loan. */
bool events_ready(const struct forebay *f);
/* End the loan of the last event. */
void events_release(struct forebay *f);

/* lib_dispatch.c */
void listener_free(struct listener *listener);

#endif
