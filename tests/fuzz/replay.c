/*
 * replay.c - main for a fuzz target without libFuzzer: plays every file named
 * on the command line (or every file of a named directory) through it once.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	if (!file || fstat(fileno(file), &st) != 0) {
		perror(path);
		return -1;
	}
	uint8_t *data = malloc((size_t)st.st_size + 1);
	size_t len = fread(data, 1, (size_t)st.st_size, file);

	fclose(file);
	/* An exact-size copy, so that a sanitizer sees a read past the end. */
	data = realloc(data, len ? len : 1);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

static int
replay_dir(const char *path, DIR *dir)
{
	int count = 0;

	for (struct dirent *entry; (entry = readdir(dir));) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		count += replay_file(file) > 0;
	}
	closedir(dir);
	return count;
}

int
main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		count += dir ? replay_dir(argv[i], dir) : replay_file(argv[i]) > 0;
	}
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;
}
