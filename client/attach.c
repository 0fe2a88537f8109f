/*
 * attach.c - files as content blocks; see attach.h.
 */
#include "client/attach.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct media {
	const char *magic;
	size_t at, len;
	const char *type, *block;
} medias[] = {
	{ "\x89PNG\r\n\x1a\n", 0, 8, "image/png", "image" },
	{ "\xff\xd8\xff", 0, 3, "image/jpeg", "image" },
	{ "GIF8", 0, 4, "image/gif", "image" },
	{ "WEBP", 8, 4, "image/webp", "image" },
	{ "%PDF-", 0, 5, "application/pdf", "document" },
};

static const struct media *
media_of(const char *bytes, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(medias); i++)
		if (len >= medias[i].at + medias[i].len &&
		    memcmp(bytes + medias[i].at, medias[i].magic, medias[i].len) == 0)
			return &medias[i];
	return NULL;
}

static char *
base64(const uint8_t *bytes, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t have = MIN(len - i, 3u);
		uint32_t group = (uint32_t)bytes[i] << 16;

		group |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= have > 2 ? bytes[i + 2] : 0;
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = have > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = have > 2 ? digits[group & 63] : '=';
	}
	*out = 0;
	return text;
}

static void
put_media(struct jsonput *put, const struct media *media, const char *bytes, size_t len)
{
	char *data = base64((const uint8_t *)bytes, len);

	jsonput_object(put);
	jsonput_member_string(put, "type", media->block);
	jsonput_key(put, "source");
	jsonput_object(put);
	jsonput_member_string(put, "type", "base64");
	jsonput_member_string(put, "media_type", media->type);
	jsonput_member_string(put, "data", data);
	jsonput_end(put);
	jsonput_end(put);
	put->failed |= !data;
	free(data);
}

/* No NUL, and every multi-byte sequence has its continuation bytes; the rest of
 * the rules of UTF-8 the daemon checks. */
static bool
is_text(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char lead = (unsigned char)bytes[i++];
		int more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

		if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
			return false;
		for (; more > 0; more--, i++)
			if (i >= len || ((unsigned char)bytes[i] & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static void
put_text(struct jsonput *put, const char *path, const char *bytes, size_t len)
{
	size_t name_len = strlen(path) + 2;
	char *text = malloc(name_len + len + 1);

	if (!text) {
		put->failed = true;
		return;
	}
	memcpy(text, path, name_len - 2);
	memcpy(text + name_len - 2, ":\n", 2);
	memcpy(text + name_len, bytes, len);
	jsonput_object(put);
	jsonput_member_string(put, "type", "text");
	jsonput_key(put, "text");
	jsonput_string_len(put, text, name_len + len);
	jsonput_end(put);
	free(text);
}

bool
attach_put(struct jsonput *put, const char *path, const char *bytes, size_t len)
{
	const struct media *media = media_of(bytes, len);

	if (media) {
		put_media(put, media, bytes, len);
		return true;
	}
	if (!is_text(bytes, len))
		return false;
	put_text(put, path, bytes, len);
	return true;
}
