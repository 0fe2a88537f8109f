/*
 * trouble.h - libcurl's reasons for failing, in our words.
 */
#ifndef DAEMON_NET_TROUBLE_H
#define DAEMON_NET_TROUBLE_H

#include "daemon/claude/answer.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* Per reason: when it was last logged, and how many were not since. */
struct troubles {
	struct trouble {
		int64_t logged_ms; /* 0: never */
		unsigned unlogged;
	} of[CURL_LAST];
};

/* left: the request had begun to go out. What is not known broke the connection. */
enum answer_transport trouble_kind(CURLcode code, bool left);

/* Once a second a reason: a storm of failures is one line, not a flood. */
void trouble_log(struct troubles *troubles, CURLcode code, const char *words, int64_t now_ms);

#endif
