/*
 * secret.c - find the key, keep it in one locked page, wipe it.
 *
 * The key is read straight into the place where it stays, behind the header's
 * name, so that no copy of it is ever made on the heap or the stack.
 */
#include "daemon/base/secret.h"

#include "daemon/base/digest.h"
#include "daemon/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A page holds the header's name, the key and a NUL. */
#define PAGE_LEN     4096
#define KEY_MAX	     3072
/* Of a shorter key the last four characters would tell too much. */
#define TAIL_MIN_LEN 20

struct secret {
	char *page; /* owned: mapped, locked, not in core dumps */
	char *key;  /* borrowed: behind the header's name in page */
	size_t key_len;
	char fingerprint[40];
};

/* --- the page --------------------------------------------------------------- */

static struct secret *
secret_new(enum secret_auth auth)
{
	static const char *const headers[] = { [SECRET_AUTH_BEARER] = "Authorization: Bearer ",
					       [SECRET_AUTH_X_API_KEY] = "x-api-key: " };
	struct secret *secret = must_alloc(sizeof(*secret));

	secret->page =
	    mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret->page == MAP_FAILED)
		fatal("no memory for the key: %s", strerror(errno));
	if (madvise(secret->page, PAGE_LEN, MADV_DONTDUMP) != 0)
		log_warn("the key would be part of a core dump: %s", strerror(errno));
	if (mlock(secret->page, PAGE_LEN) != 0)
		log_warn("the key's memory cannot be locked and may be swapped: %s",
			 strerror(errno));
	strcpy(secret->page, headers[auth]);
	secret->key = secret->page + strlen(secret->page);
	return secret;
}

void
secret_free(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret->page, PAGE_LEN);
	munmap(secret->page, PAGE_LEN);
	explicit_bzero(secret, sizeof(*secret));
	free(secret);
}

const char *
secret_header(const struct secret *secret)
{
	return secret->page;
}

const char *
secret_fingerprint(const struct secret *secret)
{
	return secret->fingerprint;
}

/* --- the key ---------------------------------------------------------------- */

/* "The reason", and FOREBAY_ERR_AUTH_FAILED: it is logged where all meet. */
static enum forebay_err PRINTF_LIKE(3, 4) refuse(char *why, size_t why_len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_len, fmt, args);
	va_end(args);
	return FOREBAY_ERR_AUTH_FAILED;
}

/* Trim the end of line, judge the rest, take the fingerprint. */
static enum forebay_err
accept_key(struct secret *secret, const char *from, char *why, size_t why_len)
{
	uint8_t digest[DIGEST_LEN];
	char hex[9];
	size_t len = secret->key_len;

	while (len > 0 && strchr("\r\n", secret->key[len - 1]))
		len--;
	secret->key[len] = '\0';
	secret->key_len = len;
	if (len == 0)
		return refuse(why, why_len, "%s holds no key: put the API key in it, on one line",
			      from);
	for (size_t i = 0; i < len; i++)
		if (secret->key[i] <= ' ' || secret->key[i] == 0x7f)
			return refuse(
			    why, why_len,
			    "%s holds more than a key: it should be the API key alone, on "
			    "one line, without spaces or quotes",
			    from);
	digest_sha256(secret->key, len, digest);
	digest_hex(digest, 4, hex);
	if (len < TAIL_MIN_LEN)
		snprintf(secret->fingerprint, sizeof(secret->fingerprint), "sha256:%s", hex);
	else
		snprintf(secret->fingerprint, sizeof(secret->fingerprint), "sha256:%s ...%s", hex,
			 secret->key + len - 4);
	return FOREBAY_ERR_OK;
}

/* One byte more than may be, so that a longer file is seen to be longer. */
static enum forebay_err
read_key(struct secret *secret, int fd, const char *from, char *why, size_t why_len)
{
	while (secret->key_len <= KEY_MAX) {
		ssize_t got =
		    read(fd, secret->key + secret->key_len, KEY_MAX + 1 - secret->key_len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse(why, why_len, "%s cannot be read: %s", from, strerror(errno));
		if (got == 0)
			return accept_key(secret, from, why, why_len);
		secret->key_len += (size_t)got;
	}
	return refuse(why, why_len, "%s is too long for a key: at most %d bytes", from, KEY_MAX);
}

/* --- where it comes from ---------------------------------------------------- */

/* O_NONBLOCK: a FIFO somebody put there must not stop the daemon. */
static int
open_key(int dir, const char *path)
{
	return openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int
is_credential(const struct dirent *entry)
{
	static const char *const starts[] = { "key_", "ekey_", "forebay.key." };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (strncmp(entry->d_name, starts[i], strlen(starts[i])) == 0)
			return true;
	return strcmp(entry->d_name, "key") == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The name of the first credential that is a key; "" when there is none. */
static void
find_credential(const char *dir, char *ret, size_t len)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_credential, by_name);

	snprintf(ret, len, "%s", count > 0 ? entries[0]->d_name : "");
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

/* Owner and mode are the service manager's affair and differ between versions. */
static enum forebay_err
load_credential(struct secret *secret, const char *dir, const char *name, char *why, size_t why_len)
{
	char from[NAME_MAX + 32], path[PATH_MAX];
	enum forebay_err err;
	int fd;

	snprintf(from, sizeof(from), "credential %s", name);
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return refuse(why, why_len, "%s: its path is too long", from);
	fd = open_key(AT_FDCWD, path);
	if (fd < 0)
		return refuse(why, why_len, "%s cannot be read: %s", from, strerror(errno));
	err = read_key(secret, fd, from, why, why_len);
	close(fd);
	return err;
}

static enum forebay_err
check_key_file(int fd, const char *path, char *why, size_t why_len)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return refuse(why, why_len, "%s cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(why, why_len, "%s is no regular file", path);
	if (st.st_uid != geteuid())
		return refuse(why, why_len,
			      "%s belongs to uid %u: it should belong to uid %u, the "
			      "daemon's (chown)",
			      path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 077)
		return refuse(why, why_len, "others may read or change %s: chmod 600 it", path);
	return FOREBAY_ERR_OK;
}

static enum forebay_err
load_key_file(struct secret *secret, const char *path, char *why, size_t why_len)
{
	int fd = open_key(AT_FDCWD, path);
	enum forebay_err err;

	if (fd < 0)
		return refuse(why, why_len, "key file %s cannot be read: %s", path,
			      strerror(errno));
	err = check_key_file(fd, path, why, why_len);
	if (!err)
		err = read_key(secret, fd, path, why, why_len);
	close(fd);
	return err;
}

#define KEY_VARIABLE "ANTHROPIC_API_KEY"

static enum forebay_err
load_environment(struct secret *secret, char *why, size_t why_len)
{
	const char *value = getenv(KEY_VARIABLE);
	size_t len;

	if (!value || !*value)
		return refuse(why, why_len,
			      "there is no API key: put one in a file in /etc/forebay/keys.d and "
			      "restart forebayd (run by hand: set key_file or $%s)",
			      KEY_VARIABLE);
	len = strlen(value);
	if (len > KEY_MAX)
		return refuse(why, why_len, "$%s is too long for a key: at most %d bytes",
			      KEY_VARIABLE, KEY_MAX);
	memcpy(secret->key, value, len);
	secret->key_len = len;
	return accept_key(secret, "$" KEY_VARIABLE, why, why_len);
}

/* /proc/PID/environ shows the memory itself, so unsetting alone hides nothing. */
static void
wipe_environment(void)
{
	char *value = getenv(KEY_VARIABLE);

	if (value)
		explicit_bzero(value, strlen(value));
	unsetenv(KEY_VARIABLE);
}

enum forebay_err
secret_load(const char *key_file, enum secret_auth auth, struct secret **ret, char *why,
	    size_t why_len)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	struct secret *secret = secret_new(auth);
	char name[NAME_MAX + 1] = "";
	enum forebay_err err;

	if (dir)
		find_credential(dir, name, sizeof(name));
	if (*name)
		err = load_credential(secret, dir, name, why, why_len);
	else if (key_file)
		err = load_key_file(secret, key_file, why, why_len);
	else
		err = load_environment(secret, why, why_len);
	wipe_environment();
	if (err) {
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_KEY_REFUSED), "%s",
			 why);
		secret_free(secret);
		*ret = NULL;
		return err;
	}
	*ret = secret;
	return FOREBAY_ERR_OK;
}
