#define _GNU_SOURCE
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The longest that anything may take, in seconds: something that is stuck is a failure. */
enum { TIMEOUT_S = 30 };

struct way way_of(char **words) {
  struct way way = {.host = words[1], .port = atoi(words[2]), .target_host = words[3], .target_port = atoi(words[4])};
  if (strcmp(words[0], "direct") == 0) way.dialect = DIRECT;
  else if (strcmp(words[0], "connect") == 0) way.dialect = CONNECT;
  else if (strcmp(words[0], "socks5") == 0) way.dialect = SOCKS5;
  else {
    fprintf(stderr, "there is no dialect %s\n", words[0]);
    exit(2);
  }
  return way;
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int send_all(int fd, const void *bytes, size_t length) {
  const char *rest = bytes;
  while (length > 0) {
    ssize_t sent = send(fd, rest, length, MSG_NOSIGNAL);
    if (sent < 0) return -1;
    rest += sent;
    length -= sent;
  }
  return 0;
}

int read_head(int fd, struct head *head) {
  head->length = 0;
  for (;;) {
    ssize_t got = recv(fd, head->text + head->length, sizeof head->text - 1 - head->length, 0);
    if (got <= 0) {
      if (got == 0) errno = ECONNRESET;
      return -1;
    }
    head->length += got;
    head->text[head->length] = 0;
    char *end = strstr(head->text, "\r\n\r\n");
    if (end != NULL) {
      head->head_length = end + 4 - head->text;
      return 0;
    }
    if (head->length == sizeof head->text - 1) {
      errno = EMSGSIZE;
      return -1;
    }
  }
}

long long content_length(const struct head *head) {
  const char *field = strcasestr(head->text, "\r\ncontent-length:");
  return field == NULL ? 0 : atoll(field + strlen("\r\ncontent-length:"));
}

/* RFC 9110 section 9.3.6. */
static int ask_connect(int fd, const struct way *way) {
  char request[256];
  int length = snprintf(request, sizeof request, "CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n", way->target_host,
                        way->target_port, way->target_host, way->target_port);
  struct head answer;
  if (send_all(fd, request, length) < 0 || read_head(fd, &answer) < 0) return -1;
  if (strncmp(answer.text, "HTTP/1.1 200", 12) == 0) return 0;
  errno = EPROTO;
  return -1;
}

static int read_exactly(int fd, unsigned char *bytes, size_t length) {
  ssize_t got = recv(fd, bytes, length, MSG_WAITALL);
  if (got == (ssize_t)length) return 0;
  if (got >= 0) errno = ECONNRESET;
  return -1;
}

/* RFC 1928; the target goes as an IPv4 address. */
static int ask_socks5(int fd, const struct way *way) {
  unsigned char answer[10];
  if (send_all(fd, "\5\1\0", 3) < 0 || read_exactly(fd, answer, 2) < 0) return -1;
  unsigned char request[10] = {5, 1, 0, 1};
  inet_pton(AF_INET, way->target_host, request + 4);
  request[8] = way->target_port >> 8;
  request[9] = way->target_port & 0xff;
  if (send_all(fd, request, sizeof request) < 0 || read_exactly(fd, answer, sizeof answer) < 0) return -1;
  if (answer[1] == 0) return 0;
  errno = EPROTO;
  return -1;
}

int open_tunnel(const struct way *way) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct timeval timeout = {.tv_sec = TIMEOUT_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(way->port)};
  inet_pton(AF_INET, way->host, &to.sin_addr);
  int failed = connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
               (way->dialect == CONNECT && ask_connect(fd, way) < 0) ||
               (way->dialect == SOCKS5 && ask_socks5(fd, way) < 0);
  if (!failed) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}
