/* Connections to an origin, straight or through a proxy; whatever goes wrong is -1, with errno. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* How a proxy is told where to go. */
enum dialect { DIRECT, CONNECT, SOCKS5 };

struct way {
  enum dialect dialect;
  /* Of the proxy; of the origin when the dialect is DIRECT. IPv4. */
  const char *host;
  int port;
  const char *target_host;
  int target_port;
};

/* Reads DIALECT HOST PORT TARGET-HOST TARGET-PORT; ends the program when they make no sense. */
struct way way_of(char **words);

/* A connection to the target, ready for its first byte. */
int open_tunnel(const struct way *way);

int send_all(int fd, const void *bytes, size_t length);

/* Reads until the head of an HTTP message is complete; the length of the head and what came behind it. */
struct head {
  char text[4096];
  size_t head_length;
  size_t length;
};
int read_head(int fd, struct head *head);

/* The value of Content-Length, or 0. */
long long content_length(const struct head *head);

double now(void);
