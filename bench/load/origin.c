/*
 * The cheapest web server that answers: `origin PORT` serves GET /N (N bytes) and takes the body of any POST, on as many
 * connections as are opened. A thread has a connection only while a request of it is served.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 40, BLOCK = 1 << 18 };

static int poll_fd, listen_fd;
static char block[BLOCK];

static int send_body(int fd, long long bytes) {
  for (; bytes > 0; bytes -= BLOCK) {
    if (send_all(fd, block, bytes < BLOCK ? bytes : BLOCK) < 0) return -1;
  }
  return 0;
}

static int drop_body(int fd, long long bytes, char *buffer) {
  while (bytes > 0) {
    ssize_t got = recv(fd, buffer, bytes < BLOCK ? bytes : BLOCK, 0);
    if (got <= 0) return -1;
    bytes -= got;
  }
  return 0;
}

/* Whether the connection stays. */
static int serve(int fd, char *buffer) {
  struct head request;
  if (read_head(fd, &request) < 0) return 0;
  int closes = strcasestr(request.text, "\r\nconnection: close") != NULL;
  long long bytes = 0;
  if (strncmp(request.text, "GET /", 5) == 0) bytes = atoll(request.text + 5);
  else if (drop_body(fd, content_length(&request) - (request.length - request.head_length), buffer) < 0) return 0;
  char answer[512];
  int length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\nConnection: %s\r\n\r\n", bytes,
                        closes ? "close" : "keep-alive");
  if (bytes <= (long long)sizeof answer - length) {
    /* In one piece, as servers send what is small. */
    memset(answer + length, 'm', bytes);
    if (send_all(fd, answer, length + bytes) < 0) return 0;
  } else if (send_all(fd, answer, length) < 0 || send_body(fd, bytes) < 0) {
    return 0;
  }
  return !closes;
}

static void watch(int how, int fd) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
  epoll_ctl(poll_fd, how, fd, &event);
}

static void *work(void *unused) {
  (void)unused;
  char *buffer = malloc(BLOCK);
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(poll_fd, &event, 1, -1) != 1) continue;
    int fd = event.data.fd;
    if (fd == listen_fd) {
      int accepted = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
      watch(EPOLL_CTL_MOD, listen_fd);
      if (accepted < 0) continue;
      int one = 1;
      setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      watch(EPOLL_CTL_ADD, accepted);
    } else if (serve(fd, buffer)) {
      watch(EPOLL_CTL_MOD, fd);
    } else {
      close(fd);
    }
  }
  return NULL;
}

int main(int count, char **words) {
  struct rlimit files = {65536, 65536};
  setrlimit(RLIMIT_NOFILE, &files);
  memset(block, 'm', sizeof block);
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int one = 1;
  setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 80)};
  if (bind(listen_fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(listen_fd, 4096) < 0) {
    perror("origin");
    return 1;
  }
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  watch(EPOLL_CTL_ADD, listen_fd);
  for (int number = 0; number < THREADS; number++) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
  }
  puts("ready");
  fflush(stdout);
  pause();
  return 0;
}
