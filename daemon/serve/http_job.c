/*
 * http_job.c - jobs of the façade: from the runner's acknowledgement to the end
 * of the last client that wants them. When one ends, everything of it that is in
 * the runner's memory alone is copied: its client may be slow, or come later.
 */
#include "daemon/serve/http_job.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/live.h"
#include "daemon/run/watch.h"
#include "daemon/serve/facade_internal.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

void
http_jobs_init(struct http_jobs *jobs)
{
	TAILQ_INIT(&jobs->all);
	for (size_t i = 0; i < HTTP_JOB_BUCKETS; i++)
		TAILQ_INIT(&jobs->orphans[i]);
}

static struct http_job_list *
bucket_of(struct facade *facade, const uint8_t *key)
{
	return &facade->jobs.orphans[(key[0] | (unsigned)key[1] << 8) % HTTP_JOB_BUCKETS];
}

static bool
is_orphan(const struct http_job *job)
{
	return job->by_key.tqe_prev != NULL;
}

static void
leave_orphans(struct http_job *job)
{
	if (!is_orphan(job))
		return;
	TAILQ_REMOVE(bucket_of(job->facade, job->key), job, by_key);
	job->by_key.tqe_prev = NULL;
	event_del(job->linger);
}

static void
free_job(struct http_job *job)
{
	struct facade *facade = job->facade;
	struct runner *runner = facade->server->runner;

	leave_orphans(job);
	TAILQ_REMOVE(&facade->jobs.all, job, link);
	facade->jobs.kept -= job->end.body_len + job->end.raw_len;
	watch_remove(runner_watch(runner), job->watcher);
	event_free(job->linger);
	free(job->asked_model);
	free(job->model);
	free(job->end.message);
	free(job->end.request_id);
	free(job->end.body);
	free(job->end.raw);
	free(job);
}

void
http_jobs_clear(struct http_jobs *jobs)
{
	while (!TAILQ_EMPTY(&jobs->all))
		free_job(TAILQ_FIRST(&jobs->all));
}

/* --- the end, and what led there ------------------------------------------------------- */

static uint8_t *
copy(const uint8_t *bytes, size_t len)
{
	uint8_t *ret = len > 0 ? must_alloc(len) : NULL;

	if (ret)
		memcpy(ret, bytes, len);
	return ret;
}

static void
keep_raw(struct http_job *job)
{
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	if (live_look(runner_live(job->facade->server->runner), job->id, &attempt, &bytes, &len) !=
	    LIVE_RUNNING)
		return;
	job->end.raw = copy(bytes, len);
	job->end.raw_len = len;
}

static void
end_as(struct http_job *job, enum forebay_err error, const struct store_result *result,
       const uint8_t *body, size_t len)
{
	struct http_end *end = &job->end;

	job->ended = true;
	end->error = error;
	if (result) {
		end->status = result->http_status;
		end->message = result->message ? must_strdup(result->message) : NULL;
		end->request_id = result->request_id ? must_strdup(result->request_id) : NULL;
	}
	if (job->stream)
		keep_raw(job);
	if (!job->stream || error) {
		end->body = copy(body, body ? len : 0);
		end->body_len = body ? len : 0;
	}
	job->facade->jobs.kept += end->body_len + end->raw_len;
}

static void
take_attempt(struct http_job *job, const char *model)
{
	if (!model)
		return;
	free(job->model);
	job->model = must_strdup(model);
}

static void
take_state(struct http_job *job, enum forebay_job_state state)
{
	if (state == FOREBAY_JOB_RUNNING && job->state != state)
		job->running_ms = clock_mono_ms();
	job->state = state;
}

static void
look(struct http_job *job)
{
	if (job->exchange)
		exchange_look(job->exchange);
}

static void
http_job_on_result(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct http_job *job = arg;

	job->asking = false;
	if (job->unwanted) {
		http_job_drop(job);
	} else if (!job->ended && !err && forebay_job_state_is_final(reply->job->state)) {
		end_as(job, reply->job->error, reply->result, reply->body, reply->body_len);
		look(job);
	}
}

/* What was not told: of one that ended before anybody could watch it, or whose answer
 * was not at hand. */
static void
ask_store(struct http_job *job)
{
	struct facade *facade = job->facade;

	if (job->asking)
		return;
	job->asking = true;
	store_result(facade->server->store, job->id, job->uid, http_job_on_result, job);
}

static void
http_job_on_news(const struct watch_news *news, void *arg)
{
	struct http_job *job = arg;
	struct facade *facade = job->facade;

	if (job->ended)
		return;
	take_state(job, news->state);
	if (news->kind == WATCH_ATTEMPT)
		take_attempt(job, news->model);
	if (news->kind == WATCH_ENDED && news->state == FOREBAY_JOB_SUCCEEDED && !news->result)
		ask_store(job);
	else if (news->kind == WATCH_ENDED)
		end_as(job, news->error, news->result, news->body, news->body_len);
	if (job->exchange)
		exchange_look(job->exchange);
	else if (news->kind == WATCH_LOST && job->stream)
		http_job_drop(job); /* nobody could be given all of it */
	if (news->kind == WATCH_ENDED)
		facade_relieve(facade);
}

/* --- its beginning ------------------------------------------------------------------------ */

static void
http_job_on_canceled(enum forebay_err err, enum forebay_job_state state, void *arg)
{
	(void)err;
	(void)state;
	(void)arg;
}

static void
cancel(struct http_job *job)
{
	struct caller caller = { .uid = job->uid };

	runner_cancel(job->facade->server->runner, &caller, job->id, http_job_on_canceled, NULL);
}

static void
watch_job(struct http_job *job, enum forebay_job_state state)
{
	struct server *server = job->facade->server;
	const char *changes, *model = runner_attempt(server->runner, job->id, &changes);
	enum forebay_job_state now;
	uid_t uid;

	take_state(job, model ? FOREBAY_JOB_RUNNING : state);
	take_attempt(job, model);
	job->watcher = watch_add(runner_watch(server->runner), job->id, http_job_on_news, job);
	if (!job->durable && !runner_knows_ephemeral(server->runner, job->id, &uid, &now))
		ask_store(job);
	look(job);
}

static void
http_job_on_submitted(enum forebay_err err, const char *why, uint64_t id,
		      enum forebay_job_state state, bool existing, void *arg)
{
	struct http_job *job = arg;

	(void)existing;
	job->asking = false;
	job->id = id;
	if (err) {
		struct http_error error = http_error_of(err, why);

		if (job->exchange)
			exchange_refused(job->exchange, &error);
		free_job(job);
	} else if (job->unwanted) {
		http_job_drop(job);
	} else {
		watch_job(job, state);
	}
}

static void http_job_on_linger(evutil_socket_t fd, short what, void *arg);

enum forebay_err
http_job_new(struct facade *facade, const struct http_job_order *order, uint8_t *body, size_t len,
	     struct http_job **ret, char why[static RUNNER_WHY_LEN])
{
	struct http_job *job = must_alloc(sizeof(*job));
	enum forebay_err err;

	*job = (struct http_job){ .facade = facade,
				  .uid = order->caller->uid,
				  .exchange = order->exchange,
				  .asked_model = must_strdup(order->asked_model),
				  .stream = order->stream,
				  .durable = order->durable,
				  .asking = true };
	memcpy(job->key, order->key, DIGEST_LEN);
	job->linger = event_new(facade->server->base, -1, 0, http_job_on_linger, job);
	if (!job->linger)
		fatal("out of memory");
	TAILQ_INSERT_TAIL(&facade->jobs.all, job, link);
	err = runner_submit(facade->server->runner, order->caller, order->request, body, len,
			    http_job_on_submitted, job, why);
	if (err)
		free_job(job);
	else
		*ret = job;
	return err;
}

/* --- without a client ------------------------------------------------------------------------ */

void
http_job_drop(struct http_job *job)
{
	job->exchange = NULL;
	leave_orphans(job); /* nobody may be given it any more */
	if (job->asking) {
		job->unwanted = true;
		return;
	}
	if (!job->ended && !job->durable)
		cancel(job);
	free_job(job);
}

static void
http_job_on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_job_drop(arg);
}

void
http_job_leave(struct http_job *job)
{
	struct timeval tv =
	    clock_timer((double)job->facade->server->config->facade.linger_ms / 1000.0);

	job->exchange = NULL;
	if (!job->durable && !job->lingers) {
		http_job_drop(job);
		return;
	}
	TAILQ_INSERT_TAIL(bucket_of(job->facade, job->key), job, by_key);
	event_add(job->linger, &tv);
}

struct http_job *
http_job_take(struct facade *facade, const uint8_t key[static DIGEST_LEN],
	      struct exchange *exchange)
{
	struct http_job *job;

	TAILQ_FOREACH (job, bucket_of(facade, key), by_key)
		if (memcmp(job->key, key, DIGEST_LEN) == 0)
			break;
	if (!job)
		return NULL;
	leave_orphans(job);
	job->exchange = exchange;
	return job;
}

bool
http_jobs_forget_one(struct facade *facade)
{
	struct http_job *job;

	/* They stand in the order they were made, which is near enough. */
	TAILQ_FOREACH (job, &facade->jobs.all, link) {
		if (!job->ended || !is_orphan(job))
			continue;
		log_with(LOG_LEVEL_WARN, LOG_FIELDS(.job_id = job->id, .owner = job->uid),
			 "too many answers wait for clients to ask again; forgetting this one");
		http_job_drop(job);
		return true;
	}
	return false;
}
