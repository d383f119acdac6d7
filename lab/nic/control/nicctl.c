// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Asks a device model through its control socket, or through the port that leads to it. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS (15 * 1000)

enum { EXIT_REFUSED = 1, EXIT_TROUBLE = 2 };

static void usage(FILE *to)
{
	fputs("usage: nicctl [-l] PATH COMMAND [KEY=VALUE...]\n"
	      "       nicctl [-l] PATH '{\"command\": ...}'\n"
	      "\n"
	      "PATH is a model's control socket or, in the guest, /dev/virtio-ports/lab.nic.\n"
	      "A VALUE is a JSON value, or else a string. The reply is printed as JSON;\n"
	      "-l: its innermost values, one \"NAME VALUE\" a line.\n"
	      "Ends with 0; 1 if the model refused or a wait timed out; 2 if there was no answer.\n"
	      "\n"
	      "  nicctl PATH help\n"
	      "  nicctl -l PATH counters\n"
	      "  nicctl PATH rule operation=umr action=hold count=1\n"
	      "  nicctl PATH wait counter=dma.unmaps at_least=1 timeout_ms=5000\n", to);
}

static int open_path(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -1;
	if (!S_ISSOCK(st.st_mode))
		return open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static json_t *request_from(int count, char **words)
{
	json_t *request;

	if (count == 1 && words[0][0] == '{') {
		json_error_t error;

		request = json_loads(words[0], 0, &error);
		if (!request)
			fprintf(stderr, "nicctl: the request is not JSON: %s\n", error.text);
		return request;
	}
	request = json_object();
	json_object_set_new(request, "command", json_string(words[0]));
	for (int i = 1; i < count; i++) {
		char *equals = strchr(words[i], '=');
		json_t *value;

		if (!equals) {
			fprintf(stderr, "nicctl: %s is not KEY=VALUE\n", words[i]);
			json_decref(request);
			return NULL;
		}
		*equals = '\0';
		value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
		json_object_set_new(request, words[i], value ? value : json_string(equals + 1));
	}
	return request;
}

static bool send_line(int fd, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	size_t len, done = 0;

	if (!line)
		return false;
	len = strlen(line);
	line[len++] = '\n'; /* in place of the terminator */
	while (done < len) {
		ssize_t n = write(fd, line + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	free(line);
	return done == len;
}

static bool ours(const json_t *reply, const json_t *id)
{
	return json_is_object(reply) && json_equal(json_object_get(reply, "id"), id);
}

/*
 * The reply with our id. A port may still hold the answer to somebody who did not wait for it,
 * whole or in part. NULL and errno when there is none (ETIMEDOUT, or what reading said).
 */
static json_t *receive(int fd, const json_t *id, int timeout_ms)
{
	struct timespec now;
	long long end;
	char *line = NULL;
	size_t used = 0;
	json_t *reply = NULL;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec * 1000ll + now.tv_nsec / 1000000 + timeout_ms;
	while (!reply) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		long long left;
		ssize_t n;
		char *newline;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left = end - (now.tv_sec * 1000ll + now.tv_nsec / 1000000);
		errno = ETIMEDOUT;
		if (left < 0 || poll(&poll_fd, 1, left) <= 0)
			break;
		line = realloc(line, used + 4096);
		if (!line)
			break;
		n = read(fd, line + used, 4096);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (!n)
			errno = ECONNRESET;
		if (n <= 0)
			break;
		used += n;
		while (!reply && (newline = memchr(line, '\n', used))) {
			reply = json_loadb(line, newline - line, 0, NULL);
			used -= newline + 1 - line;
			memmove(line, newline + 1, used);
			if (reply && !ours(reply, id)) {
				json_decref(reply);
				reply = NULL;
			}
		}
	}
	free(line);
	return reply;
}

static void print_lines(const char *name, const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, member)
			print_lines(key, member);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member)
			print_lines(name, member);
	} else if (json_is_string(value)) {
		printf("%s %s\n", name, json_string_value(value));
	} else {
		char *text = json_dumps(value, JSON_ENCODE_ANY);

		printf("%s %s\n", name, text);
		free(text);
	}
}

static int print_reply(json_t *reply, bool lines)
{
	const char *error = json_string_value(json_object_get(reply, "error"));
	bool timed_out = json_is_true(json_object_get(reply, "timed_out"));

	json_object_del(reply, "id");
	if (error) {
		fprintf(stderr, "nicctl: %s\n", error);
		return EXIT_REFUSED;
	}
	if (lines) {
		print_lines("", reply);
	} else {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return timed_out ? EXIT_REFUSED : EXIT_SUCCESS;
}

static int ask(int fd, const char *path, json_t *request, bool lines)
{
	json_t *id = json_pack("[i, I]", (int)getpid(), (json_int_t)time(NULL)), *reply;
	int ret = EXIT_TROUBLE;

	json_object_set(request, "id", id);
	if (!send_line(fd, request)) {
		fprintf(stderr, "nicctl: writing to %s: %s\n", path, strerror(errno));
		json_decref(id);
		return ret;
	}
	reply = receive(fd, id, ANSWER_MS + json_integer_value(json_object_get(request,
									       "timeout_ms")));
	if (reply)
		ret = print_reply(reply, lines);
	else
		fprintf(stderr, "nicctl: no answer from the model behind %s: %s\n", path,
			strerror(errno));
	json_decref(reply);
	json_decref(id);
	return ret;
}

int main(int argc, char **argv)
{
	bool lines = false;
	json_t *request;
	int fd, option, ret;

	while ((option = getopt(argc, argv, "hl")) >= 0) {
		if (option == 'h') {
			usage(stdout);
			return EXIT_SUCCESS;
		}
		if (option != 'l') {
			usage(stderr);
			return EXIT_TROUBLE;
		}
		lines = true;
	}
	if (argc - optind < 2) {
		usage(stderr);
		return EXIT_TROUBLE;
	}
	request = request_from(argc - optind - 1, argv + optind + 1);
	if (!request)
		return EXIT_TROUBLE;
	fd = open_path(argv[optind]);
	if (fd < 0) {
		fprintf(stderr, "nicctl: cannot open %s: %s%s\n", argv[optind], strerror(errno),
			errno == EBUSY ? "; another program has the port open" :
			errno == ECONNREFUSED ? "; no model listens there" : "");
		json_decref(request);
		return EXIT_TROUBLE;
	}
	ret = ask(fd, argv[optind], request, lines);
	close(fd);
	json_decref(request);
	return ret;
}
