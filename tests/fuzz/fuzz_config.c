/*
 * fuzz_config.c - any bytes as a configuration file: refused with a complaint,
 * or taken, and then what is printed of it is taken too and prints the same.
 */
#include "daemon/base/config.h"

#include "daemon/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct config *
load(const void *data, size_t size)
{
	char path[32];
	struct config_source source = { .file = path };
	struct config *config = NULL;
	char *complaints = NULL;
	size_t complaints_len = 0;
	FILE *errors = open_memstream(&complaints, &complaints_len);
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (!errors || fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&source, errors, &config) && config)
		abort();
	fclose(errors);
	if ((config == NULL) != (complaints_len > 0))
		abort();
	free(complaints);
	close(fd);
	return config;
}

static char *
print(const struct config *config)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	config_print(config, out);
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config, *again;
	char *first, *second;

	log_init(LOG_LEVEL_ERROR);
	config = load(data, size);
	if (!config)
		return 0;
	first = print(config);
	again = load(first, strlen(first));
	if (!again)
		abort();
	second = print(again);
	if (strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	config_free(config);
	config_free(again);
	return 0;
}
