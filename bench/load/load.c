/*
 * What drives a proxy, or nothing, as cheaply as can be. `load MODE DIALECT HOST PORT TARGET-HOST TARGET-PORT …`, one line of
 * JSON when done:
 *
 *   connections … CLIENTS SECONDS PAGE   each client opens a connection, asks for a page of PAGE bytes and closes, again and again
 *   bulk … STREAMS BYTES down|up         so many bytes, shared by so many connections
 *   hold … TUNNELS                       opens them, uses each once and says so; uses each once more for every line it reads
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, MOST_THREADS = 64 };

static struct way way;
static char block[BLOCK];
static const char *first_failure;

/* One page over an open connection; the time of its first byte goes to `at`. */
static int fetch(int fd, long long page, const char *connection, double *at) {
  char request[256];
  int length = snprintf(request, sizeof request, "GET /%lld HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n\r\n", page,
                        way.target_host, connection);
  struct head answer;
  if (send_all(fd, request, length) < 0 || read_head(fd, &answer) < 0) return -1;
  *at = now();
  long long left = content_length(&answer) - (answer.length - answer.head_length);
  char *buffer = left > 0 ? malloc(BLOCK) : NULL;
  while (left > 0) {
    ssize_t got = recv(fd, buffer, left < BLOCK ? left : BLOCK, 0);
    if (got <= 0) break;
    left -= got;
  }
  free(buffer);
  if (left == 0) return 0;
  errno = ECONNRESET;
  return -1;
}

static int fail(const char *what) {
  if (first_failure == NULL) {
    char *text;
    if (asprintf(&text, "%s: %s", what, strerror(errno)) > 0) first_failure = text;
  }
  return -1;
}

struct client {
  pthread_t thread;
  double until;
  long long amount;
  int upwards;
  /* Results. */
  int failed;
  size_t count;
  double *first_bytes;
  int *tunnels;
};

static void *connect_again_and_again(void *given) {
  struct client *client = given;
  size_t room = 0;
  while (now() < client->until) {
    double start = now(), at;
    int fd = open_tunnel(&way);
    int failed = fd < 0 ? fail("open") : fetch(fd, client->amount, "close", &at) < 0 ? fail("fetch") : 0;
    if (fd >= 0) close(fd);
    if (failed) {
      client->failed++;
      continue;
    }
    if (client->count == room) client->first_bytes = realloc(client->first_bytes, (room = room * 2 + 64) * sizeof(double));
    client->first_bytes[client->count++] = at - start;
  }
  return NULL;
}

static int send_up(int fd, long long bytes) {
  char request[256];
  int length = snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %lld\r\n\r\n",
                        way.target_host, bytes);
  if (send_all(fd, request, length) < 0) return -1;
  for (; bytes > 0; bytes -= BLOCK) {
    if (send_all(fd, block, bytes < BLOCK ? bytes : BLOCK) < 0) return -1;
  }
  struct head answer;
  return read_head(fd, &answer);
}

static void *transfer(void *given) {
  struct client *client = given;
  double at;
  int fd = open_tunnel(&way);
  if (fd < 0) client->failed = fail("open");
  else if (client->upwards) client->failed = send_up(fd, client->amount) < 0 ? fail("send") : 0;
  else client->failed = fetch(fd, client->amount, "close", &at) < 0 ? fail("fetch") : 0;
  if (fd >= 0) close(fd);
  return NULL;
}

static void *open_and_use(void *given) {
  struct client *client = given;
  double at;
  for (size_t number = 0; number < client->count; number++) {
    int fd = client->tunnels[number] = open_tunnel(&way);
    if (fd < 0) fail("open");
    if (fd >= 0 && fetch(fd, 300, "keep-alive", &at) < 0) {
      fail("first use");
      close(fd);
      client->tunnels[number] = -1;
    }
    if (client->tunnels[number] < 0) client->failed++;
  }
  return NULL;
}

static void *use_again(void *given) {
  struct client *client = given;
  double at;
  for (size_t number = 0; number < client->count; number++) {
    int fd = client->tunnels[number];
    if (fd < 0 || fetch(fd, 300, "keep-alive", &at) == 0) continue;
    fail("later use");
    client->failed++;
    close(fd);
    client->tunnels[number] = -1;
  }
  return NULL;
}

static struct client clients[MOST_THREADS];

/* Runs it for so many clients at once; the seconds that it took. */
static double run(int count, void *(*job)(void *)) {
  double start = now();
  for (int number = 0; number < count; number++) pthread_create(&clients[number].thread, NULL, job, &clients[number]);
  for (int number = 0; number < count; number++) pthread_join(clients[number].thread, NULL);
  return now() - start;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static void report(double seconds, int count) {
  size_t done = 0;
  int failed = 0;
  for (int number = 0; number < count; number++) {
    done += clients[number].count;
    failed += clients[number].failed != 0 ? abs(clients[number].failed) : 0;
  }
  double *all = malloc((done + 1) * sizeof(double));
  size_t timed = 0;
  for (int number = 0; number < count; number++) {
    if (clients[number].first_bytes == NULL) continue;
    memcpy(all + timed, clients[number].first_bytes, clients[number].count * sizeof(double));
    timed += clients[number].count;
  }
  qsort(all, timed, sizeof(double), by_size);
  printf("{\"count\":%zu,\"failed\":%d,\"seconds\":%.6f,\"firstByteMs\":%.4f,\"firstByte95Ms\":%.4f,\"failure\":\"%s\"}\n", done,
         failed, seconds, timed > 0 ? all[timed / 2] * 1e3 : 0, timed > 0 ? all[timed * 95 / 100] * 1e3 : 0,
         first_failure == NULL ? "" : first_failure);
  fflush(stdout);
  free(all);
}

static int threads(const char *word) {
  int count = atoi(word);
  return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count;
}

static int hold(int tunnels) {
  int count = threads("32");
  for (int number = 0; number < count; number++) {
    clients[number].count = tunnels / count + (number < tunnels % count);
    clients[number].tunnels = calloc(clients[number].count + 1, sizeof(int));
  }
  report(run(count, open_and_use), count);
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) report(run(count, use_again), count);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: load connections|bulk|hold DIALECT HOST PORT TARGET-HOST TARGET-PORT …\n");
    return 2;
  }
  struct rlimit files = {65536, 65536};
  setrlimit(RLIMIT_NOFILE, &files);
  way = way_of(argv + 2);
  memset(block, 'm', sizeof block);
  if (strcmp(argv[1], "hold") == 0) return hold(atoi(argv[7]));
  if (argc < 10) return 2;
  int count = threads(argv[7]);
  if (strcmp(argv[1], "connections") == 0) {
    double until = now() + atof(argv[8]);
    for (int number = 0; number < count; number++) {
      clients[number].until = until;
      clients[number].amount = atoll(argv[9]);
    }
    report(run(count, connect_again_and_again), count);
  } else {
    for (int number = 0; number < count; number++) {
      clients[number].amount = atoll(argv[8]) / count;
      clients[number].upwards = strcmp(argv[9], "up") == 0;
    }
    report(run(count, transfer), count);
  }
  return 0;
}
