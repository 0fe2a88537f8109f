/*
 * log.c - lines to the journal with fields, or to stderr for people.
 *
 * With service.c the only file that includes systemd's headers. Two threads
 * log (the loop and the store's), so a lock guards the meter; everything else
 * is settled before the second thread starts.
 */
#include "daemon/base/log.h"

#include "daemon/base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
/* Where in our source a line was written says less than its fields. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define PROGRAM "forebayd"

/* MESSAGE, PRIORITY, SYSLOG_IDENTIFIER and the members of struct log_fields. */
#define MAX_FIELDS 9
#define FIELD_LEN  320

static _Atomic int level_now = LOG_LEVEL_INFO;
static bool initialized;
static bool to_journal;
static pthread_mutex_t meter_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_meter meter;

/* $JOURNAL_STREAM is "device:inode" of the stream the journal reads. It is
 * inherited by children whose stderr goes elsewhere, hence the comparison. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) != 0)
		return false;
	return st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

void
log_init(enum log_level level)
{
	level_now = (int)level;
	if (initialized)
		return;
	initialized = true;
	to_journal = stderr_is_journal();
}

bool
log_meter_take(struct log_meter *m, int64_t now_ms, unsigned *ret_dropped)
{
	*ret_dropped = 0;
	if (now_ms - m->since_ms >= 1000 || now_ms < m->since_ms) {
		m->since_ms = now_ms;
		m->lines = 0;
	}
	if (m->lines >= LOG_LINES_PER_SECOND) {
		m->dropped++;
		return false;
	}
	m->lines++;
	*ret_dropped = m->dropped;
	m->dropped = 0;
	return true;
}

static void
replace_control_bytes(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* --- the journal ------------------------------------------------------------ */

struct entry {
	struct iovec fields[MAX_FIELDS];
	char text[MAX_FIELDS][FIELD_LEN];
	int count;
};

static void PRINTF_LIKE(2, 3) entry_add(struct entry *entry, const char *fmt, ...)
{
	char *text = entry->text[entry->count];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, FIELD_LEN, fmt, args);
	va_end(args);
	entry->fields[entry->count++] = (struct iovec){ text, strlen(text) };
}

static bool
write_journal(enum log_level level, const struct log_fields *f, const char *message)
{
	struct entry entry = { .count = 0 };
	char line[LOG_LINE_MAX + sizeof("MESSAGE=")];

	snprintf(line, sizeof(line), "MESSAGE=%s", message);
	entry.fields[entry.count++] = (struct iovec){ line, strlen(line) };
	entry_add(&entry, "PRIORITY=%d", (int)level);
	entry_add(&entry, "SYSLOG_IDENTIFIER=" PROGRAM);
	if (f->job_id)
		entry_add(&entry, "FOREBAY_JOB_ID=%" PRIu64, f->job_id);
	if (f->model)
		entry_add(&entry, "FOREBAY_MODEL=%s", f->model);
	if (f->request_id)
		entry_add(&entry, "FOREBAY_REQUEST_ID=%s", f->request_id);
	if (f->unit)
		entry_add(&entry, "FOREBAY_PEER_UNIT=%s", f->unit);
	if (f->message_id)
		entry_add(&entry, "MESSAGE_ID=%s", f->message_id);
	if (f->owner != (uid_t)-1)
		entry_add(&entry, "FOREBAY_OWNER=%u", (unsigned)f->owner);
	return sd_journal_sendv(entry.fields, entry.count) >= 0;
}

/* --- stderr ----------------------------------------------------------------- */

static const char *
level_prefix(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

/* Composed first and written at once, so that two threads' lines never mix. */
static void
write_stderr(enum log_level level, const struct log_fields *f, const char *message)
{
	char line[LOG_LINE_MAX + 5 * FIELD_LEN];
	FILE *out = fmemopen(line, sizeof(line) - 1, "w");
	long len;

	if (!out)
		return;
	fprintf(out, PROGRAM ": %s%s", level_prefix(level), message);
	if (f->job_id)
		fprintf(out, " job=%" PRIu64, f->job_id);
	if (f->model)
		fprintf(out, " model=%.256s", f->model);
	if (f->request_id)
		fprintf(out, " request=%.256s", f->request_id);
	if (f->unit)
		fprintf(out, " unit=%.256s", f->unit);
	if (f->owner != (uid_t)-1)
		fprintf(out, " owner=%u", (unsigned)f->owner);
	fflush(out);
	len = ftell(out);
	fclose(out);
	if (len <= 0)
		return;
	line[len] = '\0';
	replace_control_bytes(line);
	line[len] = '\n';
	/* A stderr that is gone is nothing we could report anywhere. */
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return;
}

static void
write_line(enum log_level level, const struct log_fields *fields, char *message)
{
	static const struct log_fields none = { .owner = (uid_t)-1 };

	if (!fields)
		fields = &none;
	replace_control_bytes(message);
	if (!to_journal || !write_journal(level, fields, message))
		write_stderr(level, fields, message);
}

/* --- for everybody ---------------------------------------------------------- */

void
log_with(enum log_level level, const struct log_fields *fields, const char *fmt, ...)
{
	char message[LOG_LINE_MAX];
	unsigned dropped;
	va_list args;
	bool may;

	if ((int)level > level_now)
		return;
	pthread_mutex_lock(&meter_lock);
	may = log_meter_take(&meter, clock_mono_ms(), &dropped);
	pthread_mutex_unlock(&meter_lock);
	if (!may)
		return;
	if (dropped) {
		snprintf(message, sizeof(message), "%u lines were too many a second and dropped",
			 dropped);
		write_line(LOG_LEVEL_WARN, NULL, message);
	}
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	write_line(level, fields, message);
}

void
fatal(const char *fmt, ...)
{
	char message[LOG_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	write_line(LOG_LEVEL_ERROR, NULL, message);
	abort();
}

void *
must_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		fatal("out of memory for %zu bytes", size);
	return memory;
}

char *
must_strdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		fatal("out of memory for a string");
	return copy;
}
