/*
 * config_table.h - the table of keys, as config*.c share it. Private to them.
 *
 * A key belongs to a section; a section's values live in one struct, at base in
 * struct config, or (with a name: [gate MODEL]) in an override or a chain.
 */
#ifndef DAEMON_BASE_CONFIG_TABLE_H
#define DAEMON_BASE_CONFIG_TABLE_H

#include "daemon/base/config.h"

/* inih splits longer lines silently, so no value may make one. */
#define CONFIG_LINE_MAX	 190
#define CONFIG_VALUE_LEN (CONFIG_LINE_MAX + 1)

enum config_effect { RELOAD, RESTART };

struct config_choice {
	const char *name; /* NULL after the last */
	int value;
};

struct config_key;

struct config_kind {
	size_t size; /* of the field */
	/* False when text is no such value; field is then untouched. */
	bool (*parse)(const struct config_key *key, const char *text, void *field);
	/* As parse would take it. */
	void (*format)(const struct config_key *key, const void *field, char *ret, size_t len);
	/* What would be right: "a whole number from 1 to 9". */
	void (*describe)(const struct config_key *key, char *ret, size_t len);
	void (*clear)(void *field); /* NULL: owns nothing */
	const char *example;	    /* to describe, for who got it wrong; may be NULL */
};

struct config_key {
	const char *section;
	const char *name;
	const struct config_kind *kind;
	size_t offset;	      /* in the section's struct */
	const char *standard; /* the default, as text */
	int64_t min, max;     /* in the field's unit; of a text, its length */
	enum config_effect effect;
	const char *help;
	const struct config_choice *choices; /* of config_choice_kind and config_flag */
};

/* Ends with section = NULL. In the order --print-config shows them. */
extern const struct config_key config_keys[];

struct config_section {
	const char *name; /* NULL after the last */
	const char *help;
	const char *named; /* "MODEL": there is [name MODEL]; NULL: there is not */
	bool plain;	   /* there is [name] */
	size_t base;	   /* of its struct in struct config */
};
extern const struct config_section config_sections[];

enum config_subject { CONFIG_OF_MODEL, CONFIG_OF_USER, CONFIG_OF_GROUP };

/* [gate MODEL], [pace MODEL], [limits user NAME], [limits group NAME] */
struct config_override {
	const struct config_section *section; /* borrowed, static */
	enum config_subject subject;
	char *name;	/* owned: of the model, user or group */
	uint32_t id;	/* of the user or group; CONFIG_NO_ID: none on this host */
	uint32_t given; /* bit n: the section's nth key was given */
	union config_override_values {
		struct config_gate gate;
		struct config_pace pace;
		struct config_limits limits;
	} values;
};
#define CONFIG_NO_ID UINT32_MAX

/* The bit of a key in given. */
uint32_t config_key_bit(const struct config_key *key);
/* The field of a key of a plain section. */
void *config_field(const struct config *config, const struct config_key *key);

extern const struct config_kind config_number, config_size, config_duration, config_patience,
    config_boolean, config_flag, config_choice_kind, config_text, config_path, config_url,
    config_proxy, config_list, config_http_socket, config_loopback;

struct config_loading {
	struct config *config; /* owned */
	FILE *errors;	       /* borrowed */
	unsigned wrong;
};

/* Where a value stands, for people. */
struct config_place {
	const char *file; /* borrowed */
	int line;	  /* 0: has no lines */
};

void config_complain(struct config_loading *loading, struct config_place place, const char *fmt,
		     ...) PRINTF_LIKE(3, 4);
void config_set_defaults(const char *section, void *base);
/* False, after a complaint, when there is no such section. */
bool config_begin_section(struct config_loading *loading, struct config_place place,
			  const char *title);
void config_assign(struct config_loading *loading, struct config_place place, const char *title,
		   const char *name, const char *value);

/* Long enough for any describe(). */
#define CONFIG_DESCRIPTION_LEN 256

#endif
