/* A near-free HTTP/1.1 server for benchmarks: counts requests, and answers each with a short 200.
 * One epoll loop. Bodies are read and thrown away. Prints its port; on SIGTERM prints how many
 * requests it answered, and ends. It ends with its parent, too.
 * Usage: server [PORT]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define LINES 4096

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

struct line { char head[8192]; int length; long body; };
static struct line *lines[LINES];

static volatile long answered;

static void tell(int signal) {
  (void)signal;
  char text[32];
  int size = snprintf(text, sizeof text, "%ld\n", answered);
  if (write(1, text, size) < 0) _exit(1);
  _exit(0);
}

static long body_length(const char *head) {
  const char *at = strcasestr(head, "\r\ncontent-length:");
  return at ? atol(at + 17) : 0;
}

/* Take in bytes; answers with how many requests they completed. */
static int eat(struct line *line, char *data, long size) {
  int done = 0;
  while (size > 0) {
    if (line->body > 0) {
      long part = size < line->body ? size : line->body;
      line->body -= part; data += part; size -= part;
      if (line->body == 0) done++;
      continue;
    }
    int room = (int)sizeof line->head - 1 - line->length;
    int part = size < room ? (int)size : room;
    memcpy(line->head + line->length, data, part);
    line->head[line->length + part] = 0;
    char *end = strstr(line->head, "\r\n\r\n");
    if (!end) { line->length += part; data += part; size -= part; if (!room) return -1; continue; }
    int used = (int)(end + 4 - line->head) - line->length;
    line->body = body_length(line->head);
    line->length = 0;
    data += used; size -= used;
    if (line->body == 0) done++;
  }
  return done;
}

int main(int argc, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, tell);
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  if (bind(listener, (struct sockaddr *)&here, size) || listen(listener, 1024)) return 1;
  getsockname(listener, (struct sockaddr *)&here, &size);
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  static char buffer[BUFFER];
  for (;;) {
    int count = epoll_wait(poll, events, 256, -1);
    for (int n = 0; n < count; n++) {
      int fd = events[n].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
          if (fd >= LINES) { close(fd); continue; }
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          if (!lines[fd]) lines[fd] = malloc(sizeof(struct line));
          lines[fd]->length = 0; lines[fd]->body = 0;
          event.events = EPOLLIN; event.data.fd = fd;
          epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
        }
        continue;
      }
      long got = recv(fd, buffer, BUFFER, 0);
      if (got < 0 && errno == EAGAIN) continue;
      int done = got > 0 ? eat(lines[fd], buffer, got) : -1;
      for (; done > 0; done--, answered++) if (send(fd, ANSWER, sizeof ANSWER - 1, 0) < 0) done = -1;
      if (done < 0) close(fd);
    }
  }
}
