/*
 * faults.c - the table. A row is all it takes to teach the fake API another error.
 */
#include "tests/fakeapi/faults.h"

#include <assert.h>
#include <string.h>

#include "protocol/base.h"

#define LIMIT_TEXT                                                                                 \
	"This request would exceed the rate limit for your organization. Please reduce the "       \
	"number of requests or tokens, or try again later."
#define HOLD_TEXT  "This organization has been disabled."
#define UNTIL_TEXT "You will regain access on 2099-01-01 at 00:00 UTC."

/* clang-format off */
const struct fault faults[] = {
	/* name, stage, kind, status, error.type, error_code, message */
	{ "529",          STAGE_REFUSE, KIND_JSON,       529,
	  "overloaded_error", NULL, "Overloaded" },
	{ "429",          STAGE_REFUSE, KIND_JSON,       429,
	  "rate_limit_error", NULL, LIMIT_TEXT },
	{ "ramp",         STAGE_REFUSE, KIND_JSON,       429,
	  "rate_limit_error", "ramp_limit_exceeded",
	  "Your traffic grew too fast. Please ramp up gradually." },
	{ "spend",        STAGE_REFUSE, KIND_JSON,       429,
	  "rate_limit_error", "enforced_spend_limit_reached",
	  "Your organization has reached its monthly spend limit. " UNTIL_TEXT },
	{ "contract",     STAGE_REFUSE, KIND_JSON,       429,
	  "rate_limit_error", "contract_spend_limit_reached",
	  "Your organization has reached the spend limit of its contract. " UNTIL_TEXT },
	{ "usage",        STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL,
	  "You have reached your specified API usage limits. " UNTIL_TEXT },
	{ "credit",       STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL,
	  "Your credit balance is too low to access the Anthropic API." },
	{ "billing",      STAGE_REFUSE, KIND_JSON,       402,
	  "billing_error", "linked_organization_spend_limit_reached",
	  "The organization that pays for this one has reached its spend limit." },
	{ "on-hold",      STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", "organization_on_hold", HOLD_TEXT },
	{ "400",          STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL, "messages.0: invalid (asked for)" },
	{ "prefill",      STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL,
	  "This model does not support assistant message prefill. The conversation must end with a "
	  "user message." },
	{ "too-long",     STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL,
	  "prompt is too long: 208310 tokens > 200000 maximum" },
	{ "signature",    STAGE_REFUSE, KIND_JSON,       400,
	  "invalid_request_error", NULL,
	  "messages.1.content.0: Invalid `signature` in `thinking` block" },
	{ "401",          STAGE_REFUSE, KIND_JSON,       401,
	  "authentication_error", NULL, "invalid x-api-key" },
	{ "403",          STAGE_REFUSE, KIND_JSON,       403,
	  "permission_error", NULL,
	  "Your API key does not have permission to use the specified resource." },
	{ "404",          STAGE_REFUSE, KIND_JSON,       404,
	  "not_found_error", NULL, "model: not found (asked for)" },
	{ "408",          STAGE_REFUSE, KIND_JSON,       408,
	  "timeout_error", NULL, "Request timed out." },
	{ "409",          STAGE_REFUSE, KIND_JSON,       409,
	  "conflict_error", NULL, "Lock timeout." },
	{ "413",          STAGE_REFUSE, KIND_HTML,       413, NULL, NULL, "Payload Too Large" },
	{ "422",          STAGE_REFUSE, KIND_JSON,       422,
	  "invalid_request_error", NULL, "Unprocessable." },
	{ "500",          STAGE_REFUSE, KIND_JSON,       500,
	  "api_error", NULL, "Internal server error" },
	{ "502",          STAGE_REFUSE, KIND_HTML,       502, NULL, NULL, "Bad gateway" },
	{ "503",          STAGE_REFUSE, KIND_JSON,       503,
	  "api_error", NULL, "Service unavailable" },
	{ "504",          STAGE_REFUSE, KIND_JSON,       504,
	  "timeout_error", NULL, "The request took too long." },
	{ "520",          STAGE_REFUSE, KIND_HTML,       520,
	  NULL, NULL, "Web server is returning an unknown error" },
	{ "524",          STAGE_REFUSE, KIND_HTML,       524, NULL, NULL, "A timeout occurred" },
	{ "500-blank",    STAGE_REFUSE, KIND_BLANK,      500, NULL, NULL, NULL },
	{ "529-blank",    STAGE_REFUSE, KIND_BLANK,      529, NULL, NULL, NULL },
	{ "529-html",     STAGE_REFUSE, KIND_HTML,       529, NULL, NULL, "Site is overloaded" },
	{ "reset",        STAGE_REFUSE, KIND_RESET,        0, NULL, NULL, NULL },
	{ "close",        STAGE_REFUSE, KIND_CLOSE,        0, NULL, NULL, NULL },
	{ "hang",         STAGE_REFUSE, KIND_HANG,         0, NULL, NULL, NULL },
	{ "error-first",  STAGE_REFUSE, KIND_ERROR_EVENT,200,
	  "overloaded_error", NULL, "Overloaded" },
	{ "error-mid",    STAGE_SERVE,  KIND_ERROR_MID,  200,
	  "overloaded_error", NULL, "Overloaded" },
	{ "api-error-mid",STAGE_SERVE,  KIND_ERROR_MID,  200,
	  "api_error", NULL, "Internal server error" },
	{ "cut",          STAGE_SERVE,  KIND_CUT,        200, NULL, NULL, NULL },
	{ "cut-reset",    STAGE_SERVE,  KIND_CUT_RESET,  200, NULL, NULL, NULL },
	{ "eof",          STAGE_SERVE,  KIND_EOF,        200, NULL, NULL, NULL },
	{ "silent",       STAGE_SERVE,  KIND_SILENT,     200, NULL, NULL, NULL },
	{ "stall",        STAGE_SERVE,  KIND_STALL,      200, NULL, NULL, NULL },
	{ "freeze",       STAGE_SERVE,  KIND_FREEZE,     200, NULL, NULL, NULL },
	{ "truncated",    STAGE_SERVE,  KIND_TRUNCATED,  200, NULL, NULL, NULL },
	{ "bad-utf8",     STAGE_SERVE,  KIND_BAD_UTF8,   200, NULL, NULL, NULL },
	{ "empty",        STAGE_SERVE,  KIND_EMPTY,      200, NULL, NULL, NULL },
	{ "wrong-type",   STAGE_SERVE,  KIND_WRONG_TYPE, 200, NULL, NULL, NULL },
	{ "foreign",      STAGE_SERVE,  KIND_FOREIGN,    200, NULL, NULL, NULL },
	{ "refusal",      STAGE_STYLE,  KIND_REFUSAL,    200, NULL, NULL, NULL },
	{ "thinking",     STAGE_STYLE,  KIND_THINKING,   200, NULL, NULL, NULL },
	{ "tool",         STAGE_STYLE,  KIND_TOOL,       200, NULL, NULL, NULL },
	{ "no-content",   STAGE_STYLE,  KIND_NO_CONTENT, 200, NULL, NULL, NULL },
	{ "unknown",      STAGE_STYLE,  KIND_UNKNOWN,    200, NULL, NULL, NULL },
};
/* clang-format on */

const size_t fault_count = ARRAY_LEN(faults);
static_assert(ARRAY_LEN(faults) <= FAULT_MAX, "raise FAULT_MAX");

const struct fault *
fault_find(const char *name, size_t len)
{
	for (size_t i = 0; i < fault_count; i++) {
		if (strlen(faults[i].name) == len && memcmp(faults[i].name, name, len) == 0)
			return &faults[i];
	}
	return NULL;
}
