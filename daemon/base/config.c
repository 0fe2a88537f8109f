/*
 * config.c - files, drop-ins and --set, and the checks on the whole. The only
 * file that includes inih. The keys are rows of config_table.c.
 */
#include "daemon/base/config_table.h"

#include "daemon/base/log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE "/etc/forebay/forebayd.conf"

/* --- files ------------------------------------------------------------------ */

#define FILE_MAX (1 << 20)

struct reading {
	struct config_loading *loading; /* borrowed */
	struct config_place place;	/* of the line last handed to inih */
	FILE *file;			/* borrowed */
	size_t bytes;
	bool expecting;	  /* the line looked like key = value, and inih has not said so yet */
	bool any_section; /* one began above, good or not */
	bool in_section;  /* and it was good: its title */
	char title[CONFIG_LINE_MAX + 1];
};

static int
on_value(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *reading = arg;

	(void)section;
	reading->expecting = false;
	if (!reading->any_section)
		config_complain(reading->loading, reading->place, "%s: stands before any [section]",
				name);
	else if (reading->in_section)
		config_assign(reading->loading, reading->place, reading->title, name, value);
	return 1;
}

/* inih says nothing of a section without keys, cuts long titles and ignores
 * what follows the bracket: so titles are ours, and it only cuts key from value. */
static void
begin_section(struct reading *reading, const char *line)
{
	size_t len = strcspn(line, "]");
	const char *rest = line + len + (line[len] == ']');

	reading->any_section = true;
	reading->in_section = false;
	rest += strspn(rest, " \t\r");
	if (line[len] != ']' || (*rest && *rest != ';' && *rest != '#')) {
		config_complain(reading->loading, reading->place, "%s: should be [section] alone",
				line);
		return;
	}
	snprintf(reading->title, sizeof(reading->title), "%.*s", (int)len - 1, line + 1);
	reading->in_section =
	    config_begin_section(reading->loading, reading->place, reading->title);
}

static void
finish_line(struct reading *reading)
{
	if (reading->expecting)
		config_complain(reading->loading, reading->place,
				"should be [section] or key = value");
	reading->expecting = false;
}

/* A bad line is handed on as an empty one. */
static void
check_line(struct reading *reading, char *line, bool nul, bool long_line)
{
	if (reading->place.line == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
		memmove(line, line + 3, strlen(line + 3) + 1);
	if (nul)
		config_complain(reading->loading, reading->place,
				"a NUL byte: this is no text file");
	else if (long_line)
		config_complain(reading->loading, reading->place, "longer than %d characters",
				CONFIG_LINE_MAX);
	else if (line[0] == '[')
		begin_section(reading, line);
	else
		reading->expecting = line[0] && line[0] != ';' && line[0] != '#';
	if (nul || long_line)
		line[0] = '\0';
}

/*
 * One line for inih, which by itself would split long lines, take an indented
 * line as more of the value above, and stop at a NUL without a word.
 */
static char *
read_line(char *buf, int buf_size, void *arg)
{
	struct reading *reading = arg;
	int max = MIN(buf_size - 2, CONFIG_LINE_MAX), len = 0, c;
	bool any = false, long_line = false, nul = false;

	finish_line(reading);
	while ((c = getc(reading->file)) != EOF && ++reading->bytes <= FILE_MAX) {
		any = true;
		if (c == '\n')
			break;
		nul |= c == '\0';
		if (len == 0 && isspace(c))
			continue;
		if (len < max)
			buf[len++] = (char)c;
		else
			long_line = true;
	}
	buf[len] = '\0';
	reading->place.line++;
	if (reading->bytes > FILE_MAX) {
		config_complain(reading->loading, reading->place, "the file is larger than 1 MiB");
		return NULL;
	}
	if (!any)
		return NULL;
	check_line(reading, buf, nul, long_line);
	return buf;
}

static void
load_file(struct config_loading *loading, const char *path, bool must_exist)
{
	struct reading reading = { .loading = loading, .place = { .file = path } };

	reading.file = fopen(path, "re");
	if (!reading.file) {
		if (must_exist || errno != ENOENT)
			config_complain(loading, reading.place, "cannot be read: %s",
					strerror(errno));
		return;
	}
	if (ini_parse_stream(read_line, &reading, on_value, &reading) == -2)
		fatal("out of memory for the configuration");
	finish_line(&reading);
	if (ferror(reading.file)) {
		reading.place.line = 0;
		config_complain(loading, reading.place, "cannot be read: %s", strerror(errno));
	}
	fclose(reading.file);
}

static int
is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
load_drop_ins(struct config_loading *loading, const char *path)
{
	struct dirent **entries = NULL;
	char dir[PATH_MAX], file[PATH_MAX];
	int count;

	snprintf(dir, sizeof(dir), "%s.d", path);
	count = scandir(dir, &entries, is_drop_in, by_name);
	if (count < 0 && errno != ENOENT && errno != ENOTDIR)
		config_complain(loading, (struct config_place){ .file = dir }, "cannot be read: %s",
				strerror(errno));
	for (int i = 0; i < count; i++) {
		if (snprintf(file, sizeof(file), "%s/%s", dir, entries[i]->d_name) <
		    (int)sizeof(file))
			load_file(loading, file, true);
		free(entries[i]);
	}
	free(entries);
}

/* text up to len without the blanks around it; false when ret is too short. */
static bool
trim(const char *text, size_t len, char *ret, size_t ret_len)
{
	while (len > 0 && isblank((unsigned char)*text))
		text++, len--;
	while (len > 0 && isblank((unsigned char)text[len - 1]))
		len--;
	if (len >= ret_len)
		return false;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

/* "section.key=value"; a model's name has dots too, so the last one counts. */
static void
load_set(struct config_loading *loading, const char *set)
{
	static const struct config_place place = { .file = "--set" };
	size_t len = strcspn(set, "=");
	char left[CONFIG_LINE_MAX + 1], value[CONFIG_LINE_MAX + 1];
	char *dot;

	if (set[len] != '=' || !trim(set, len, left, sizeof(left)) || !(dot = strrchr(left, '.'))) {
		config_complain(loading, place, "%s: should be SECTION.KEY=VALUE", set);
		return;
	}
	if (!trim(set + len + 1, strlen(set + len + 1), value, sizeof(value))) {
		config_complain(loading, place, "%s: longer than %d characters", left,
				CONFIG_LINE_MAX);
		return;
	}
	*dot = '\0';
	config_assign(loading, place, left, dot + 1, value);
}

/* --- the whole -------------------------------------------------------------- */

/* What no single value shows. */
static void
check_together(struct config_loading *loading)
{
	static const struct config_place place = { .file = "configuration" };
	const struct config *config = loading->config;

	if (config->retry_max_ms < config->retry_min_ms)
		config_complain(loading, place,
				"[queue] retry_max: should not be less than retry_min");
	if (config->receive_buffer < config->max_body)
		config_complain(
		    loading, place,
		    "[daemon] receive_buffer: should not be less than [queue] max_body");
	for (size_t i = 0; i < config->chain_count; i++) {
		const struct config_chain *chain = &config->chains[i];

		if (!chain->models)
			config_complain(loading, place, "[chain %s] models: should name a model",
					chain->name);
		if (strcmp(chain->name, "default") == 0)
			config_complain(
			    loading, place,
			    "[chain default]: this name means the job's own model alone");
	}
}

enum forebay_err
config_load(const struct config_source *source, FILE *errors, struct config **ret)
{
	struct config_loading loading = { .errors = errors };
	const char *file = source->file ? source->file : DEFAULT_FILE;

	loading.config = must_alloc(sizeof(*loading.config));
	for (const struct config_section *section = config_sections; section->name; section++)
		if (section->plain)
			config_set_defaults(section->name, (char *)loading.config + section->base);
	load_file(&loading, file, source->file != NULL);
	load_drop_ins(&loading, file);
	for (const char *const *set = source->sets; set && *set; set++)
		load_set(&loading, *set);
	check_together(&loading);
	if (loading.wrong) {
		config_free(loading.config);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	*ret = loading.config;
	return FOREBAY_ERR_OK;
}

static void
clear_keys(const char *section, void *base)
{
	for (const struct config_key *key = config_keys; key->section; key++)
		if (key->kind->clear && strcmp(key->section, section) == 0)
			key->kind->clear((char *)base + key->offset);
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	for (const struct config_section *section = config_sections; section->name; section++)
		if (section->plain)
			clear_keys(section->name, (char *)config + section->base);
	for (size_t i = 0; i < config->chain_count; i++) {
		clear_keys("chain", &config->chains[i]);
		free(config->chains[i].name);
	}
	free(config->chains);
	for (size_t i = 0; i < config->override_count; i++)
		free(config->overrides[i].name);
	free(config->overrides);
	free(config);
}
