/*
 * config_show.c - the configuration read back: as a file, as differences, and as
 * the answer for one model, user or path.
 */
#include "daemon/base/config_table.h"

#include "daemon/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *
config_field(const struct config *config, const struct config_key *key)
{
	const struct config_section *section = config_sections;

	while (strcmp(section->name, key->section) != 0)
		section++;
	return (char *)config + section->base + key->offset;
}

/* --- as a file -------------------------------------------------------------- */

/* As a comment, broken between words. */
static void
print_wrapped(const char *text, FILE *out)
{
	enum { WIDTH = 78 };
	size_t column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column == 0 || column + 1 + word > WIDTH) {
			fputs(column ? "\n#" : "#", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)word, text);
		column += 1 + word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void
print_key(const struct config_key *key, const void *field, FILE *out)
{
	char right[CONFIG_DESCRIPTION_LEN], comment[2 * CONFIG_DESCRIPTION_LEN + 256];
	char value[CONFIG_VALUE_LEN] = "", standard[CONFIG_VALUE_LEN] = "";
	bool is_default = true;

	key->kind->describe(key, right, sizeof(right));
	if (field) {
		char *scratch[sizeof(int64_t) / sizeof(char *)] = { 0 };

		key->kind->format(key, field, value, sizeof(value));
		if (*key->standard && key->kind->parse(key, key->standard, scratch))
			key->kind->format(key, scratch, standard, sizeof(standard));
		is_default = strcmp(value, standard) == 0;
		if (key->kind->clear)
			key->kind->clear(scratch);
	}
	snprintf(comment, sizeof(comment), "%s. (%s%s%s%s)", key->help, right,
		 is_default ? "" : "; default ", is_default ? "" : key->standard,
		 key->effect == RESTART ? "; changed by a restart only" : "");
	fputc('\n', out);
	print_wrapped(comment, out);
	/* The default stays as it was written: 60min says more than 1h. */
	fprintf(out, "%s%s =%s%s\n", is_default ? "#" : "", key->name,
		*(is_default ? key->standard : value) ? " " : "",
		is_default ? key->standard : value);
}

static void
print_overrides(const struct config *config, const struct config_section *section, FILE *out)
{
	static const char *const words[] = {
		[CONFIG_OF_MODEL] = "", [CONFIG_OF_USER] = "user ", [CONFIG_OF_GROUP] = "group "
	};
	char value[CONFIG_VALUE_LEN];

	for (size_t i = 0; i < config->override_count; i++) {
		const struct config_override *override = &config->overrides[i];

		if (override->section != section)
			continue;
		fprintf(out, "\n[%s %s%s]\n", section->name, words[override->subject],
			override->name);
		for (const struct config_key *key = config_keys; key->section; key++) {
			if (strcmp(key->section, section->name) != 0 ||
			    !(override->given & config_key_bit(key)))
				continue;
			key->kind->format(key, (const char *)&override->values + key->offset, value,
					  sizeof(value));
			fprintf(out, "%s = %s\n", key->name, value);
		}
	}
}

static void
print_chain(const struct config_chain *chain, FILE *out)
{
	char value[CONFIG_VALUE_LEN];

	fprintf(out, "\n[chain %s]\n", chain->name);
	for (const struct config_key *key = config_keys; key->section; key++)
		if (strcmp(key->section, "chain") == 0) {
			key->kind->format(key, (const char *)chain + key->offset, value,
					  sizeof(value));
			fprintf(out, "%s = %s\n", key->name, value);
		}
}

void
config_print(const struct config *config, FILE *out)
{
	fputs("# forebayd.conf - configuration of forebayd; see forebayd.conf(5).\n"
	      "# Lines that are commented out show the defaults. Better than changing this\n"
	      "# file: put what differs into a file forebayd.conf.d/NAME.conf beside it.\n"
	      "# Times are 250ms 90s 5min 2h 7d, sizes 512K 32M 1G.\n",
	      out);
	for (const struct config_section *section = config_sections; section->name; section++) {
		fputs("\n\n", out);
		print_wrapped(section->help, out);
		fprintf(out, "%s[%s%s%s]\n", section->plain ? "" : "#", section->name,
			section->plain ? "" : " ", section->plain ? "" : section->named);
		for (const struct config_key *key = config_keys; key->section; key++)
			if (strcmp(key->section, section->name) == 0)
				print_key(key, section->plain ? config_field(config, key) : NULL,
					  out);
		if (section->plain && section->named)
			fprintf(out,
				"\n# The same keys for one alone; those not given are as above.\n"
				"#[%s %s]\n",
				section->name, section->named);
		print_overrides(config, section, out);
		if (!section->plain)
			for (size_t i = 0; i < config->chain_count; i++)
				print_chain(&config->chains[i], out);
	}
}

/* --- as differences --------------------------------------------------------- */

void
config_needs_restart(const struct config *before, const struct config *after, char *ret, size_t len)
{
	char old[CONFIG_VALUE_LEN], new[CONFIG_VALUE_LEN];
	size_t used = 0;

	ret[0] = '\0';
	for (const struct config_key *key = config_keys; key->section; key++) {
		if (key->effect != RESTART)
			continue;
		key->kind->format(key, config_field(before, key), old, sizeof(old));
		key->kind->format(key, config_field(after, key), new, sizeof(new));
		if (strcmp(old, new) != 0 && used < len)
			used += (size_t)snprintf(ret + used, len - used, "%s%s.%s",
						 used ? ", " : "", key->section, key->name);
	}
}

/* --- for one model, user or group ------------------------------------------- */

/* The values that were given, over those in ret. */
static void
apply(const struct config_override *override, void *ret)
{
	for (const struct config_key *key = config_keys; key->section; key++)
		if (strcmp(key->section, override->section->name) == 0 &&
		    override->given & config_key_bit(key))
			memcpy((char *)ret + key->offset,
			       (const char *)&override->values + key->offset, key->kind->size);
}

static void
apply_of_model(const struct config *config, const char *section, const char *model, void *ret)
{
	for (size_t i = 0; i < config->override_count; i++)
		if (config->overrides[i].subject == CONFIG_OF_MODEL &&
		    strcmp(config->overrides[i].section->name, section) == 0 &&
		    strcmp(config->overrides[i].name, model) == 0)
			apply(&config->overrides[i], ret);
}

struct config_gate
config_gate_of(const struct config *config, const char *model)
{
	struct config_gate gate = config->gate;

	apply_of_model(config, "gate", model, &gate);
	return gate;
}

struct config_pace
config_pace_of(const struct config *config, const char *model)
{
	struct config_pace pace = config->pace;

	apply_of_model(config, "pace", model, &pace);
	return pace;
}

static bool
is_member(gid_t gid, const gid_t *groups, size_t group_count)
{
	for (size_t i = 0; i < group_count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

struct config_limits
config_limits_of(const struct config *config, uid_t uid, const gid_t *groups, size_t group_count)
{
	struct config_limits limits = config->limits;

	/* Backwards, so that of two groups the one written first has its way. */
	for (size_t i = config->override_count; i-- > 0;) {
		const struct config_override *override = &config->overrides[i];

		if (override->subject == CONFIG_OF_GROUP && override->id != CONFIG_NO_ID &&
		    is_member(override->id, groups, group_count))
			apply(override, &limits);
	}
	for (size_t i = 0; i < config->override_count; i++) {
		const struct config_override *override = &config->overrides[i];

		if (override->subject == CONFIG_OF_USER && override->id != CONFIG_NO_ID &&
		    override->id == uid)
			apply(override, &limits);
	}
	return limits;
}

const struct config_chain *
config_chain_of(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->chain_count; i++)
		if (strcmp(config->chains[i].name, name) == 0)
			return &config->chains[i];
	return NULL;
}

/* --- paths ------------------------------------------------------------------ */

static enum forebay_err
put_path(const char *what, const char *dir, const char *rest, char *ret, size_t len)
{
	if ((size_t)snprintf(ret, len, "%s%s", dir, rest) < len)
		return FOREBAY_ERR_OK;
	log_error("the path of the %s is too long: %s%s", what, dir, rest);
	return FOREBAY_ERR_BAD_REQUEST;
}

/* The variable's value when it is an absolute path: others are to be ignored. */
static const char *
directory_variable(const char *name)
{
	const char *dir = getenv(name);

	return dir && *dir == '/' ? dir : NULL;
}

enum forebay_err
config_socket_path(const struct config *config, char *ret, size_t len)
{
	const char *dir;

	if (config->socket)
		return put_path("socket", config->socket, "", ret, len);
	if (geteuid() == 0)
		return put_path("socket", "/run", "/forebay/forebay.sock", ret, len);
	dir = directory_variable("XDG_RUNTIME_DIR");
	if (dir)
		return put_path("socket", dir, "/forebay/forebay.sock", ret, len);
	log_error("no place for the socket: give --socket PATH, or set $XDG_RUNTIME_DIR");
	return FOREBAY_ERR_BAD_REQUEST;
}

enum forebay_err
config_state_path(const struct config *config, char *ret, size_t len)
{
	const char *dir;

	if (config->state_dir)
		return put_path("queue", config->state_dir, "", ret, len);
	dir = directory_variable("STATE_DIRECTORY");
	if (dir) {
		enum forebay_err err = put_path("queue", dir, "", ret, len);

		/* With several StateDirectory= lines the first is ours. */
		if (!err)
			ret[strcspn(ret, ":")] = '\0';
		return err;
	}
	if (geteuid() == 0)
		return put_path("queue", "/var/lib", "/forebay", ret, len);
	dir = directory_variable("XDG_STATE_HOME");
	if (dir)
		return put_path("queue", dir, "/forebay", ret, len);
	dir = directory_variable("HOME");
	if (dir)
		return put_path("queue", dir, "/.local/state/forebay", ret, len);
	log_error("no place for the queue: give --state DIR, or set $HOME");
	return FOREBAY_ERR_BAD_REQUEST;
}
