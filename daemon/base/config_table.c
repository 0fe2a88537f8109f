/*
 * config_table.c - THE table of keys. Adding a key is one row here and one field
 * in config.h: parsing, defaults, --print-config and the sample file follow, and
 * the manual is checked against it.
 */
#include "daemon/base/config_table.h"

#include "daemon/base/log.h"
#include "daemon/base/secret.h"

#include <stddef.h>

static const struct config_choice log_levels[] = { { "error", LOG_LEVEL_ERROR },
						   { "warning", LOG_LEVEL_WARN },
						   { "info", LOG_LEVEL_INFO },
						   { "debug", LOG_LEVEL_DEBUG },
						   { 0 } };
static const struct config_choice auths[] = { { "bearer", SECRET_AUTH_BEARER },
					      { "x-api-key", SECRET_AUTH_X_API_KEY },
					      { 0 } };
static const struct config_choice https[] = { { "1.1", 11 }, { "2", 2 }, { 0 } };
static const struct config_choice transports[] = { { "stream", CONFIG_TRANSPORT_STREAM },
						   { "plain", CONFIG_TRANSPORT_PLAIN },
						   { 0 } };
static const struct config_choice policies[] = { { "gate", CONFIG_POLICY_GATE },
						 { "classic", CONFIG_POLICY_CLASSIC },
						 { 0 } };
static const struct config_choice manners[] = { { "eager", CONFIG_MANNER_EAGER },
						{ "default", CONFIG_MANNER_DEFAULT },
						{ "polite", CONFIG_MANNER_POLITE },
						{ 0 } };
static const struct config_choice on_crashes[] = { { "retry", CONFIG_ON_CRASH_RETRY },
						   { "fail", CONFIG_ON_CRASH_FAIL },
						   { 0 } };
static const struct config_choice keepalives[] = { { "auto", CONFIG_KEEPALIVE_AUTO },
						   { "none", CONFIG_KEEPALIVE_NONE },
						   { "pings", CONFIG_KEEPALIVE_PINGS },
						   { 0 } };
static const struct config_choice unknown_paths[] = { { "refuse", CONFIG_UNKNOWN_PATHS_REFUSE },
						      { "pass", CONFIG_UNKNOWN_PATHS_PASS },
						      { 0 } };
static const struct config_choice durabilities[] = { { "full", true }, { "normal", false }, { 0 } };

const struct config_section config_sections[] = {
	{ "daemon", "The process and its clients", NULL, true, 0 },
	{ "upstream", "How the Claude API is reached", NULL, true, 0 },
	{ "gate", "When requests go, after refusals", "MODEL", true,
	  offsetof(struct config, gate) },
	{ "pace", "Upper bounds on what is sent; 0: none", "MODEL", true,
	  offsetof(struct config, pace) },
	{ "chain", "Models a job may fall back to, in this order", "NAME", false, 0 },
	{ "queue", "Jobs and how they are kept", NULL, true, 0 },
	{ "limits", "What one user may have at a time; 0: no bound", "user|group NAME", true,
	  offsetof(struct config, limits) },
	{ "http", "Unmodified programs: the API's own HTTP", NULL, true,
	  offsetof(struct config, facade) },
	{ 0 },
};

/* clang-format off */
#define IN(field)  offsetof(struct config, field)
#define GATE(f)    offsetof(struct config_gate, f)
#define PACE(f)    offsetof(struct config_pace, f)
#define CHAIN(f)   offsetof(struct config_chain, f)
#define LIMITS(f)  offsetof(struct config_limits, f)
#define HTTP(f)    offsetof(struct config_http, f)
#define NUMBER     &config_number
#define SIZE       &config_size
#define DURATION   &config_duration
#define CHOICE     &config_choice_kind
#define TEXT       &config_text
#define PATH       &config_path
#define MS         1LL
#define SECS       (1000 * MS)
#define MINS       (60 * SECS)
#define HOURS      (60 * MINS)
#define DAYS       (24 * HOURS)
#define KIB        1024LL
#define MIB        (1024 * KIB)
#define GIB        (1024 * MIB)
#define MANY       1000000000000000LL

const struct config_key config_keys[] = {
	/* section, name, kind, field, default, min, max, effect, help [, choices] */
	{ "daemon", "socket", PATH, IN(socket), "", 0, 107, RESTART,
	  "Where clients connect; empty: /run/forebay/forebay.sock for root, else "
	  "$XDG_RUNTIME_DIR/forebay/forebay.sock; not used when the service manager passes "
	  "a socket", NULL },
	{ "daemon", "state_dir", PATH, IN(state_dir), "", 0, 170, RESTART,
	  "Where the queue is kept; empty: $STATE_DIRECTORY, else /var/lib/forebay for root, else "
	  "$XDG_STATE_HOME/forebay", NULL },
	{ "daemon", "admin_group", TEXT, IN(admin_group), "forebay-admin", 0, 32, RELOAD,
	  "Members may see and cancel all jobs, and hold and release gates; empty: root alone", NULL },
	{ "daemon", "workers", NUMBER, IN(workers), "32", 1, 10000, RESTART,
	  "Requests to the API at the same time", NULL },
	{ "daemon", "drain_timeout", DURATION, IN(drain_timeout_ms), "60s", 0, DAYS, RELOAD,
	  "How long running requests may finish when the daemon stops", NULL },
	{ "daemon", "hello_timeout", DURATION, IN(hello_timeout_ms), "10s", 100 * MS, HOURS, RELOAD,
	  "How long a client may take to begin, and to finish a frame once begun", NULL },
	{ "daemon", "max_connections", NUMBER, IN(max_connections), "4096", 1, 60000, RELOAD,
	  "Connections open at once, of all users", NULL },
	{ "daemon", "max_streams", NUMBER, IN(max_streams), "1024", 1, 65536, RELOAD,
	  "Requests open at once on one connection", NULL },
	{ "daemon", "output_high_mark", SIZE, IN(output_high_mark), "1M", 64 * KIB, GIB, RELOAD,
	  "A client that has this much to read is not read from until it catches up", NULL },
	{ "daemon", "receive_buffer", SIZE, IN(receive_buffer), "256M", MIB, 64 * GIB, RELOAD,
	  "Memory for bodies that are being received, of all clients", NULL },
	{ "daemon", "live_buffer", SIZE, IN(live_buffer), "256M", MIB, 64 * GIB, RELOAD,
	  "Memory for running answers that clients follow", NULL },
	{ "daemon", "log_level", CHOICE, IN(log_level), "info", 0, 0, RELOAD,
	  "What is logged", log_levels },

	{ "upstream", "url", &config_url, IN(url), "https://api.anthropic.com", 8, 170, RELOAD,
	  "Where the API is", NULL },
	{ "upstream", "key_file", PATH, IN(key_file), "", 0, 170, RELOAD,
	  "A file with the API key, for runs without a service manager: ours alone, mode 0600; "
	  "the unit uses credentials instead", NULL },
	{ "upstream", "auth", CHOICE, IN(auth), "bearer", 0, 0, RELOAD,
	  "The header that carries the key", auths },
	{ "upstream", "version", TEXT, IN(version), "2023-06-01", 1, 64, RELOAD,
	  "anthropic-version for jobs that name none", NULL },
	{ "upstream", "http", CHOICE, IN(http), "1.1", 0, 0, RELOAD,
	  "The version of HTTP; 2 may lose early refusals of large requests", https },
	{ "upstream", "ca_file", PATH, IN(ca_file), "", 0, 170, RELOAD,
	  "Certificate authorities to trust instead of the system's", NULL },
	{ "upstream", "proxy", &config_proxy, IN(proxy), "", 0, 170, RELOAD,
	  "Go through this proxy; the environment is not asked", NULL },
	{ "upstream", "connect_timeout", DURATION, IN(connect_timeout_ms), "10s", 100 * MS, HOURS,
	  RELOAD, "How long connecting may take", NULL },
	{ "upstream", "first_byte_timeout", DURATION, IN(first_byte_timeout_ms), "300s", 100 * MS,
	  DAYS, RELOAD, "How long the API may think before the answer begins", NULL },
	{ "upstream", "idle_timeout", DURATION, IN(idle_timeout_ms), "300s", 100 * MS, DAYS, RELOAD,
	  "How long an answer may make no progress", NULL },
	{ "upstream", "lifetime", DURATION, IN(lifetime_ms), "60min", SECS, DAYS, RELOAD,
	  "How long one request may take in all", NULL },
	{ "upstream", "max_answer", SIZE, IN(max_answer), "64M", 64 * KIB, GIB, RELOAD,
	  "An answer larger than this is given up", NULL },
	{ "upstream", "transport", CHOICE, IN(transport), "stream", 0, 0, RELOAD,
	  "How answers come: stream tells a thinking model from a dead connection", transports },

	{ "gate", "policy", CHOICE, GATE(policy), "gate", 0, 0, RELOAD,
	  "gate: wait together and probe; classic: a few tries for each job alone", policies },
	{ "gate", "manner", CHOICE, GATE(manner), "default", 0, 0, RELOAD,
	  "How soon a closed gate is tried again", manners },

	{ "pace", "min_spacing", DURATION, PACE(min_spacing_ms), "0", 0, HOURS, RELOAD,
	  "Time between two requests", NULL },
	{ "pace", "requests_per_minute", NUMBER, PACE(requests_per_minute), "0", 0, MANY, RELOAD,
	  "Requests in a minute", NULL },
	{ "pace", "input_tokens_per_minute", NUMBER, PACE(input_tokens_per_minute), "0", 0, MANY,
	  RELOAD, "Input tokens in a minute", NULL },
	{ "pace", "output_tokens_per_minute", NUMBER, PACE(output_tokens_per_minute), "0", 0, MANY,
	  RELOAD, "Output tokens in a minute", NULL },

	{ "chain", "models", &config_list, CHAIN(models), "", 1, 16, RELOAD,
	  "The models, first choice first", NULL },
	{ "chain", "patience", &config_patience, CHAIN(patience_ms), "class", 0, 7 * DAYS, RELOAD,
	  "How long to wait for a model before the next; class: 2 s for interactive jobs, 10 s "
	  "for normal ones, never for patient ones", NULL },
	{ "chain", "shrink_to", NUMBER, CHAIN(shrink_to), "0", 0, 10000000, RELOAD,
	  "After refusals max_tokens is halved step by step, down to this; 0: never", NULL },
	{ "chain", "adapt", &config_boolean, CHAIN(adapt), "no", 0, 0, RELOAD,
	  "May sampling settings that the next model refuses be dropped; no: it is passed by", NULL },

	{ "queue", "deadline", DURATION, IN(deadline_ms), "24h", SECS, 365 * DAYS, RELOAD,
	  "A job that has no answer by then has failed, unless it says otherwise", NULL },
	{ "queue", "batch_deadline", DURATION, IN(batch_deadline_ms), "72h", SECS, 365 * DAYS,
	  RELOAD, "The same for jobs that only go in batches", NULL },
	{ "queue", "attempts", NUMBER, IN(attempts), "5", 1, 1000, RELOAD,
	  "Faults a job survives; being refused as overloaded is no fault", NULL },
	{ "queue", "keep", DURATION, IN(keep_ms), "7d", 0, 3650 * DAYS, RELOAD,
	  "How long prompts and answers are kept after the end; then they are deleted", NULL },
	{ "queue", "window", NUMBER, IN(window), "256", 8, 65536, RELOAD,
	  "Jobs of one lane that are known in memory", NULL },
	{ "queue", "max_heads", NUMBER, IN(max_heads), "65536", 1024, 10000000, RELOAD,
	  "Jobs known in memory, of all lanes", NULL },
	{ "queue", "max_routes", NUMBER, IN(max_routes), "256", 1, 65536, RELOAD,
	  "Different routes (models, policy, batch) one user may have queued", NULL },
	{ "queue", "max_body", SIZE, IN(max_body), "32M", KIB, GIB, RELOAD,
	  "The largest request", NULL },
	{ "queue", "max_jobs", NUMBER, IN(max_jobs), "10000000", 1, MANY, RELOAD,
	  "Unfinished jobs of all users", NULL },
	{ "queue", "min_free", SIZE, IN(min_free), "512M", 0, 1024 * 1024 * GIB, RELOAD,
	  "Submits are refused when the disk has less room than this", NULL },
	{ "queue", "max_store", SIZE, IN(max_store), "0", 0, 1024 * 1024 * GIB, RELOAD,
	  "Submits are refused when the queue takes more than this on disk; 0: no bound", NULL },
	{ "queue", "durability", &config_flag, IN(durability_full), "full", 0, 0, RESTART,
	  "full: an acknowledged job survives a power cut; normal: only a crash of the daemon",
	  durabilities },
	{ "queue", "on_crash", CHOICE, IN(on_crash), "retry", 0, 0, RELOAD,
	  "What becomes of a request whose end a crash hid, and which may have been billed",
	  on_crashes },
	{ "queue", "age_up", DURATION, IN(age_up_ms), "10min", SECS, 365 * DAYS, RELOAD,
	  "A job that has waited this long counts as the next better class", NULL },
	{ "queue", "retry_min", DURATION, IN(retry_min_ms), "250ms", 10 * MS, HOURS, RELOAD,
	  "A refused job waits at least this long; doubles with each refusal", NULL },
	{ "queue", "retry_max", DURATION, IN(retry_max_ms), "5s", 10 * MS, HOURS, RELOAD,
	  "However often it is refused, it waits at most this long for its gate to let it try", NULL },
	{ "queue", "spill_after", DURATION, IN(spill_after_ms), "1s", 0, HOURS, RELOAD,
	  "An ephemeral job that has not started by then is written to disk", NULL },
	{ "queue", "ephemeral_bytes", SIZE, IN(ephemeral_bytes), "64M", 0, 64 * GIB, RELOAD,
	  "Memory for ephemeral jobs; beyond it they are written to disk at once", NULL },

	{ "limits", "queued_jobs", NUMBER, LIMITS(queued_jobs), "0", 0, MANY, RELOAD,
	  "Unfinished jobs", NULL },
	{ "limits", "queued_bytes", SIZE, LIMITS(queued_bytes), "0", 0, 1024 * 1024 * GIB, RELOAD,
	  "Bytes of their bodies", NULL },
	{ "limits", "running", NUMBER, LIMITS(running), "0", 0, 10000, RELOAD,
	  "Requests at the API", NULL },
	{ "limits", "tokens_per_day", NUMBER, LIMITS(tokens_per_day), "0", 0, MANY, RELOAD,
	  "Input and output tokens in a day", NULL },
	{ "limits", "weight", NUMBER, LIMITS(weight), "1", 1, 1000, RELOAD,
	  "The share among users", NULL },
	{ "limits", "connections", NUMBER, LIMITS(connections), "256", 0, 60000, RELOAD,
	  "Connections open at once", NULL },

	{ "http", "socket", &config_http_socket, HTTP(socket), "", 0, 107, RESTART,
	  "Where HTTP clients connect; empty: /run/forebay/http.sock for root, else "
	  "$XDG_RUNTIME_DIR/forebay/http.sock, and beside [daemon] socket where that is set; off: "
	  "nowhere; not used when the service manager passes sockets", NULL },
	{ "http", "tcp", &config_loopback, HTTP(tcp), "off", 0, 64, RESTART,
	  "A loopback port besides, for programs that cannot use a socket; needs token_file", NULL },
	{ "http", "token_file", PATH, HTTP(token_file), "", 0, 170, RELOAD,
	  "A file whose only line is what callers by TCP give as their API key; they count as its "
	  "owner", NULL },
	{ "http", "hold", DURATION, HTTP(hold_ms), "240s", SECS, HOURS, RELOAD,
	  "How long a request is held without a word; then the client is told to ask again", NULL },
	{ "http", "keepalive", CHOICE, HTTP(keepalive), "auto", 0, 0, RELOAD,
	  "pings: a stream that waits gets pings and is held without end; none: it is held as all "
	  "requests are; auto: pings but for Claude Code, which does not count them", keepalives },
	{ "http", "ping_every", DURATION, HTTP(ping_every_ms), "15s", SECS, HOURS, RELOAD,
	  "How often", NULL },
	{ "http", "linger", DURATION, HTTP(linger_ms), "15min", 0, DAYS, RELOAD,
	  "How long a job waits for its client to ask again", NULL },
	{ "http", "max_headers", SIZE, HTTP(max_headers), "64K", 4 * KIB, 512 * KIB, RELOAD,
	  "The headers of one request", NULL },
	{ "http", "connections", NUMBER, HTTP(connections), "256", 1, 60000, RELOAD,
	  "HTTP connections of one user, open at once", NULL },
	{ "http", "idle_timeout", DURATION, HTTP(idle_timeout_ms), "5min", SECS, DAYS, RELOAD,
	  "A connection without a request, or whose client takes nothing, is closed then", NULL },
	{ "http", "unknown_paths", CHOICE, HTTP(unknown_paths), "refuse", 0, 0, RELOAD,
	  "Requests for other parts of the API: refused, or passed on with our key", unknown_paths },
	{ 0 },
};
/* clang-format on */
