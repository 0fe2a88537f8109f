/*
 * config_assign.c - one value into the configuration: find the section's struct
 * (and make it, for a section with a name), find the key, parse, or complain.
 */
#include "daemon/base/config_table.h"

#include "daemon/base/log.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
config_complain(struct config_loading *loading, struct config_place place, const char *fmt, ...)
{
	va_list args;

	loading->wrong++;
	if (place.line)
		fprintf(loading->errors, "%s:%d: ", place.file, place.line);
	else
		fprintf(loading->errors, "%s: ", place.file);
	va_start(args, fmt);
	vfprintf(loading->errors, fmt, args);
	va_end(args);
	fputc('\n', loading->errors);
}

/* One more element, zeroed, at the end of an array. */
static void *
grow(void *array, size_t count, size_t element, void **ret_last)
{
	char *bigger = reallocarray(array, count + 1, element);

	if (!bigger)
		fatal("out of memory for the configuration");
	*ret_last = bigger + count * element;
	memset(*ret_last, 0, element);
	return bigger;
}

void
config_set_defaults(const char *section, void *base)
{
	for (const struct config_key *key = config_keys; key->section; key++)
		if (strcmp(key->section, section) == 0 && *key->standard &&
		    !key->kind->parse(key, key->standard, (char *)base + key->offset))
			fatal("[%s] %s: its own default is refused", section, key->name);
}

/* The section's struct and, for an override, its mask. */
struct target {
	const struct config_section *section; /* borrowed; NULL: not known */
	char *base;			      /* borrowed until the next target_find() */
	uint32_t *given;		      /* borrowed likewise; may be NULL */
};

static uint32_t
look_up_id(enum config_subject subject, const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (isdigit((unsigned char)*name) && *end == '\0' && number < CONFIG_NO_ID)
		return (uint32_t)number;
	if (subject == CONFIG_OF_USER) {
		const struct passwd *user = getpwnam(name);

		if (user)
			return user->pw_uid;
	} else {
		const struct group *group = getgrnam(name);

		if (group)
			return group->gr_gid;
	}
	/* Not an error: removing a user must not keep the daemon from starting. */
	log_warn("[limits %s %s] has no effect: there is no such name on this host",
		 subject == CONFIG_OF_USER ? "user" : "group", name);
	return CONFIG_NO_ID;
}

static struct target
find_override(struct config_loading *loading, const struct config_section *section,
	      enum config_subject subject, const char *name)
{
	struct config *config = loading->config;
	struct config_override *override = NULL;
	void *last;

	for (size_t i = 0; i < config->override_count; i++)
		if (config->overrides[i].section == section &&
		    config->overrides[i].subject == subject &&
		    strcmp(config->overrides[i].name, name) == 0)
			override = &config->overrides[i];
	if (!override) {
		config->overrides =
		    grow(config->overrides, config->override_count++, sizeof(*override), &last);
		override = last;
		override->section = section;
		override->subject = subject;
		override->name = must_strdup(name);
		if (subject != CONFIG_OF_MODEL)
			override->id = look_up_id(subject, name);
	}
	return (struct target){ section, (char *)&override->values, &override->given };
}

static struct target
find_chain(struct config_loading *loading, const struct config_section *section, const char *name)
{
	struct config *config = loading->config;
	struct config_chain *chain;
	void *last;

	for (size_t i = 0; i < config->chain_count; i++)
		if (strcmp(config->chains[i].name, name) == 0)
			return (struct target){ section, (char *)&config->chains[i], NULL };
	config->chains = grow(config->chains, config->chain_count++, sizeof(*chain), &last);
	chain = last;
	chain->name = must_strdup(name);
	config_set_defaults("chain", chain);
	return (struct target){ section, (char *)chain, NULL };
}

/* The struct for "gate" or "gate MODEL"; section is NULL when there is none. */
static struct target
find_target(struct config_loading *loading, const char *title)
{
	static const struct target none = { 0 };
	const struct config_section *section = config_sections;
	size_t word = strcspn(title, " \t");
	const char *name = title + word + strspn(title + word, " \t");

	while (section->name &&
	       (strlen(section->name) != word || strncmp(section->name, title, word) != 0))
		section++;
	if (!section->name)
		return none;
	if (*name == '\0' && section->plain)
		return (struct target){ section, (char *)loading->config + section->base, NULL };
	if (*name == '\0' || !section->named)
		return none;
	if (strcmp(section->name, "limits") == 0) {
		bool user = strncmp(name, "user", 4) == 0;
		size_t skip = user ? 4 : strncmp(name, "group", 5) == 0 ? 5 : 0;
		size_t space = strspn(name + skip, " \t");

		if (skip == 0 || space == 0 || !name[skip + space] ||
		    strpbrk(name + skip + space, " \t"))
			return none;
		return find_override(loading, section, user ? CONFIG_OF_USER : CONFIG_OF_GROUP,
				     name + skip + space);
	}
	if (strpbrk(name, " \t"))
		return none;
	if (strcmp(section->name, "chain") == 0)
		return find_chain(loading, section, name);
	return find_override(loading, section, CONFIG_OF_MODEL, name);
}

static void
complain_section(struct config_loading *loading, struct config_place place, const char *title)
{
	char known[256] = "";
	size_t used = 0;

	for (const struct config_section *s = config_sections; s->name; s++) {
		if (s->plain)
			used +=
			    (size_t)snprintf(known + used, sizeof(known) - used, " [%s]", s->name);
		if (s->named)
			used += (size_t)snprintf(known + used, sizeof(known) - used, " [%s %s]",
						 s->name, s->named);
	}
	config_complain(loading, place, "[%s]: there is no such section; there are%s", title,
			known);
}

static void
complain_key(struct config_loading *loading, struct config_place place, const char *section,
	     const char *name)
{
	char known[512] = "";
	size_t used = 0;

	for (const struct config_key *key = config_keys; key->section; key++)
		if (strcmp(key->section, section) == 0 && used < sizeof(known))
			used +=
			    (size_t)snprintf(known + used, sizeof(known) - used, " %s", key->name);
	config_complain(loading, place, "[%s] %s: there is no such key; there are%s", section, name,
			known);
}

void
config_assign(struct config_loading *loading, struct config_place place, const char *title,
	      const char *name, const char *value)
{
	struct target target = find_target(loading, title);
	const struct config_key *key = config_keys;
	char right[CONFIG_DESCRIPTION_LEN];

	if (!target.section) {
		complain_section(loading, place, title);
		return;
	}
	while (key->section &&
	       (strcmp(key->section, target.section->name) != 0 || strcmp(key->name, name) != 0))
		key++;
	if (!key->section) {
		complain_key(loading, place, target.section->name, name);
		return;
	}
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			config_complain(loading, place, "[%s] %s: control characters in the value",
					title, name);
			return;
		}
	if (strlen(value) >= CONFIG_VALUE_LEN ||
	    !key->kind->parse(key, value, target.base + key->offset)) {
		key->kind->describe(key, right, sizeof(right));
		config_complain(loading, place, "[%s] %s = %s: should be %s%s%s", title, name,
				value, right, key->kind->example ? ", such as " : "",
				key->kind->example ? key->kind->example : "");
		return;
	}
	if (target.given)
		*target.given |= config_key_bit(key);
}

bool
config_begin_section(struct config_loading *loading, struct config_place place, const char *title)
{
	if (find_target(loading, title).section)
		return true;
	complain_section(loading, place, title);
	return false;
}

uint32_t
config_key_bit(const struct config_key *key)
{
	uint32_t bit = 1;

	for (; key > config_keys && strcmp(key[-1].section, key->section) == 0; key--)
		bit <<= 1;
	return bit;
}
