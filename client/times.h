/*
 * times.h - durations and times as people write and read them.
 */
#ifndef CLIENT_TIMES_H
#define CLIENT_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t times_wall_ms(void);
int64_t times_mono_ms(void);

/* "90s", "2h", "1h30m", "250ms", "7d"; a bare number is seconds. */
bool times_parse_duration(const char *text, int64_t *ret_ms);

/*
 * A duration away from now, "07:30" (the next one, or with past the last one, in
 * local time), or RFC 3339. ret is in ms since 1970.
 */
bool times_parse_when(const char *text, int64_t now_ms, bool past, int64_t *ret_ms);

/* "0:42", "1:02:03": how long something goes on. */
#define TIMES_TEXT_LEN 32
char *times_clock(int64_t ms, char buf[static TIMES_TEXT_LEN]);
/* "850 ms", "42 s", "3m10s", "2d04h": how long something was. */
char *times_span(int64_t ms, char buf[static TIMES_TEXT_LEN]);
/* RFC 3339 text as a short local time in buf; itself when it is none. */
const char *times_local(const char *rfc3339, char buf[static TIMES_TEXT_LEN]);

#endif
