/*
 * test_cli_env.c - the environment of unchanged programs: what is in it, from where,
 * and how shells read it.
 */
#include "client/variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/forebay-test-XXXXXX"; /* and the working directory */

static int
set_up(void **unused)
{
	(void)unused;
	unsetenv("FOREBAY_HTTP_SOCKET");
	unsetenv("FOREBAY_SOCKET");
	unsetenv("ANTHROPIC_CUSTOM_HEADERS");
	return mkdtemp(dir) && chdir(dir) == 0 && setenv("XDG_RUNTIME_DIR", dir, 1) == 0 ? 0 : -1;
}

static int
tear_down(void **unused)
{
	(void)unused;
	return chdir("/") || rmdir(dir) ? -1 : 0;
}

static const char *
value_of(const struct variables *variables, const char *name)
{
	for (size_t i = 0; i < variables->count; i++)
		if (strcmp(variables->rows[i].name, name) == 0)
			return variables->rows[i].value ? variables->rows[i].value : "removed";
	return "absent";
}

/* With what is complained about on stderr into a file that is looked at. */
static bool
find(const struct arguments *arguments, struct variables *ret, char complaint[static 512])
{
	struct session session = { .out.quiet = true };
	int saved = dup(STDERR_FILENO), file = open(dir, O_TMPFILE | O_RDWR, 0600);
	ssize_t len;
	bool ok;

	fflush(stderr);
	assert_return_code(dup2(file, STDERR_FILENO), 0);
	ok = variables_find(&session, arguments, ret);
	fflush(stderr);
	assert_return_code(dup2(saved, STDERR_FILENO), 0);
	len = pread(file, complaint, 511, 0);
	assert_true(len >= 0 && (len == 0) == ok);
	complaint[len] = 0;
	close(saved);
	close(file);
	return ok;
}

static void
expect(const struct arguments *arguments, const char *name, const char *value)
{
	struct variables variables;
	char complaint[512];

	assert_true(find(arguments, &variables, complaint));
	assert_string_equal(value_of(&variables, name), value);
	variables_clear(&variables);
}

static void
expect_refusal(const struct arguments *arguments, const char *word)
{
	struct variables variables;
	char complaint[512];

	assert_false(find(arguments, &variables, complaint));
	assert_non_null(strstr(complaint, word));
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* --- where --------------------------------------------------------------------- */

static void
keys_go_and_a_dummy_comes(void **unused)
{
	struct arguments a;

	(void)unused;
	arguments_init(&a);
	a.http_socket = strdup("/s");
	expect(&a, "ANTHROPIC_API_KEY", "removed");
	expect(&a, "CLAUDE_CODE_USE_BEDROCK", "removed");
	expect(&a, "ANTHROPIC_AUTH_TOKEN", "forebay");
	expect(&a, "ANTHROPIC_BASE_URL", "http://localhost");
	expect(&a, "ANTHROPIC_UNIX_SOCKET", "/s");
	expect(&a, "ENABLE_TOOL_SEARCH", "true");
	expect(&a, "CLAUDE_STREAM_IDLE_TIMEOUT_MS", "900000");
	expect(&a, "ANTHROPIC_CUSTOM_HEADERS", "absent");
	arguments_clear(&a);
}

static void
the_socket_is_looked_for(void **unused)
{
	char usual[64], long_path[140];
	struct arguments a;

	(void)unused;
	arguments_init(&a);
	snprintf(usual, sizeof(usual), "%s/forebay/http.sock", dir);
	if (access("/run/forebay/http.sock", F_OK) != 0)
		expect(&a, "ANTHROPIC_UNIX_SOCKET", usual);
	/* Beside the other one, which was put somewhere. */
	a.socket = strdup("x.sock");
	write_file("x-http.sock", "");
	snprintf(usual, sizeof(usual), "%s/x-http.sock", dir);
	expect(&a, "ANTHROPIC_UNIX_SOCKET", usual);
	setenv("FOREBAY_HTTP_SOCKET", "/given", 1);
	expect(&a, "ANTHROPIC_UNIX_SOCKET", "/given");
	unsetenv("FOREBAY_HTTP_SOCKET");
	unlink("x-http.sock");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = 0;
	a.http_socket = strdup(long_path);
	expect_refusal(&a, "longer than 107");
	arguments_clear(&a);
}

static void
a_port_wants_a_token(void **unused)
{
	struct arguments a;

	(void)unused;
	arguments_init(&a);
	a.token_file = strdup("token");
	expect_refusal(&a, "--tcp");
	a.tcp = strdup("8080");
	expect_refusal(&a, "token: No such file");
	write_file("token", "s3cret-token\n");
	expect(&a, "ANTHROPIC_BASE_URL", "http://127.0.0.1:8080");
	expect(&a, "ANTHROPIC_AUTH_TOKEN", "s3cret-token");
	expect(&a, "ANTHROPIC_UNIX_SOCKET", "removed");
	free(a.tcp);
	a.tcp = strdup("localhost:80");
	expect(&a, "ANTHROPIC_BASE_URL", "http://localhost:80");
	for (const char *const *bad =
		 (const char *const[]){ "", "\n", "two words\n", "a\nb\n", "gr\xc3\xbc\n", NULL };
	     *bad; bad++) {
		write_file("token", *bad);
		expect_refusal(&a, "one line");
	}
	write_file("token", "t");
	a.http_socket = strdup("/s");
	expect_refusal(&a, "only one");
	free(a.http_socket);
	a.http_socket = NULL;
	for (const char *const *bad =
		 (const char *const[]){ "", "0", "65536", "host:80", "10.0.0.1:80", "[::1]:80",
					"127.1:", "80x", "127.evil.example:80",
					"localhost.example:80", NULL };
	     *bad; bad++) {
		free(a.tcp);
		a.tcp = strdup(*bad);
		expect_refusal(&a, "127.0.0.1:8080");
	}
	unlink("token");
	arguments_clear(&a);
}

/* --- headers ------------------------------------------------------------------- */

static void
headers_are_added_to_those_that_are_there(void **unused)
{
	struct arguments a;

	(void)unused;
	arguments_init(&a);
	a.job_class = FOREBAY_CLASS_PATIENT;
	a.request.label = strdup("nightly run");
	setenv("ANTHROPIC_CUSTOM_HEADERS",
	       "x-mine: 1\r\nX-Forebay-Label: old\nx-forebay-labels: 2\n", 1);
	expect(&a, "ANTHROPIC_CUSTOM_HEADERS",
	       "x-mine: 1\nx-forebay-labels: 2\nx-forebay-class: patient\n"
	       "x-forebay-label: nightly run");
	unsetenv("ANTHROPIC_CUSTOM_HEADERS");
	a.request.chain_models = calloc(3, sizeof(char *));
	a.request.chain_models[0] = strdup("a");
	a.request.chain_models[1] = strdup("b");
	expect(&a, "ANTHROPIC_CUSTOM_HEADERS",
	       "x-forebay-class: patient\nx-forebay-label: nightly run\nx-forebay-chain: a,b");
	/* No second header may ride along. */
	free(a.request.label);
	a.request.label = strdup("a\nx-api-key: b");
	expect_refusal(&a, "--label");
	free(a.request.label);
	a.request.label = strdup("gr\xc3\xbc\xc3\x9f");
	expect_refusal(&a, "ASCII");
	a.request.label[0] = 0;
	expect_refusal(&a, "1 to 256");
	arguments_clear(&a);
}

/* --- shells -------------------------------------------------------------------- */

static void
expect_line(enum shell shell, const char *value, const char *want)
{
	struct variable variable = { "X", (char *)value };
	char *line = variable_put(&variable, shell);

	if (want)
		assert_string_equal(line, want);
	else
		assert_null(line);
	free(line);
}

static void
every_shell_has_its_quotes(void **unused)
{
	(void)unused;
	expect_line(SHELL_SH, "", "export X='';");
	expect_line(SHELL_SH, "a'b\\$(c) \"!\n", "export X='a'\\''b\\$(c) \"!\n';");
	expect_line(SHELL_SH, NULL, "unset X;");
	expect_line(SHELL_FISH, "a'b\\$(c)!\n", "set -gx X 'a\\'b\\\\$(c)!\n';");
	expect_line(SHELL_FISH, NULL, "set -e X;");
	expect_line(SHELL_CSH, "a'b\\$(c)!", "setenv X 'a'\\''b\\$(c)\\!';");
	expect_line(SHELL_CSH, "two\nlines", NULL);
	expect_line(SHELL_CSH, NULL, "unsetenv X;");
}

/* All bytes a variable can hold, read back by the shell itself. */
static void
sh_reads_back_every_byte(void **unused)
{
	char value[256], got[256] = { 0 };
	struct variable variable = { "X", value };
	char *line, *command;
	FILE *shell;

	(void)unused;
	for (int i = 0; i < 255; i++)
		value[i] = (char)(i + 1);
	value[255] = 0;
	line = variable_put(&variable, SHELL_SH);
	assert_non_null(line);
	assert_true(asprintf(&command, "%s printf %%s \"$X\"", line) > 0);
	shell = popen(command, "r");
	assert_non_null(shell);
	assert_int_equal(fread(got, 1, sizeof(got), shell), 255);
	assert_int_equal(pclose(shell), 0);
	assert_memory_equal(got, value, 255);
	free(command);
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_go_and_a_dummy_comes),
		cmocka_unit_test(the_socket_is_looked_for),
		cmocka_unit_test(a_port_wants_a_token),
		cmocka_unit_test(headers_are_added_to_those_that_are_there),
		cmocka_unit_test(every_shell_has_its_quotes),
		cmocka_unit_test(sh_reads_back_every_byte),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
