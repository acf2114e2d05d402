/* A near-free HTTP/1.1 server for benchmarks: reads bodies, counts requests and the records in them (one brace
 * each, as the samples hold nothing nested), and answers each with a short 200, after a delay if one is wanted.
 * One epoll loop. Prints its port; on SIGUSR1 prints how many requests and records it took, and the seconds from the first answer to the last; on SIGTERM as well, and
 * ends. It ends with its parent, too.
 * Usage: server [DELAY_MS [CERTIFICATE KEY]]
 * Build: gcc -O3 -o server server.c -lssl -lcrypto
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define LINES 4096
#define WAITING (1 << 16)

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

struct line { char head[8192]; int length; long body; SSL *tls; unsigned life; };
static struct line *lines[LINES];
static struct { int fd; unsigned life; double due; } waiting[WAITING];
static unsigned first, last;

static volatile long answered, records;
static double began, latest;
static volatile sig_atomic_t asked, ended;

static void tell(int signal) {
  if (signal == SIGTERM) ended = 1; else asked = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static long braces(const char *data, long size) {
  long found = 0;
  for (long n = 0; n < size; n++) found += data[n] == '{';
  return found;
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
      records += braces(data, part);
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

static long get(int fd, char *buffer) {
  SSL *tls = lines[fd]->tls;
  if (!tls) return recv(fd, buffer, BUFFER, 0);
  int got = SSL_read(tls, buffer, BUFFER);
  if (got > 0) return got;
  int why = SSL_get_error(tls, got);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) { errno = EAGAIN; return -1; }
  return 0;
}

static int put(int fd) {
  latest = now();
  if (!answered++) began = latest;
  SSL *tls = lines[fd]->tls;
  return tls ? SSL_write(tls, ANSWER, sizeof ANSWER - 1) > 0 : send(fd, ANSWER, sizeof ANSWER - 1, 0) > 0;
}

static void hang_up(int fd) {
  if (lines[fd]->tls) SSL_free(lines[fd]->tls);
  lines[fd]->tls = NULL;
  lines[fd]->life++;
  close(fd);
}

int main(int argc, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {.sa_handler = tell};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  double delay = argc > 1 ? atof(argv[1]) : 0;
  SSL_CTX *context = NULL;
  if (argc > 3) {
    context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1) return 1;
    if (SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1) return 1;
  }
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in here = {.sin_family = AF_INET};
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
    if (asked || ended) {
      asked = 0;
      printf("%ld %ld %.6f\n", answered, records, (latest - began) / 1e3);
      fflush(stdout);
      if (ended) return 0;
    }
    int wait = -1;
    if (first != last) {
      double left = waiting[first % WAITING].due - now();
      wait = left > 2 ? (int)left - 2 : 0; /* the last two milliseconds are spent looking, as sleep is not exact */
    }
    int count = epoll_wait(poll, events, 256, wait);
    for (int n = 0; n < count; n++) {
      int fd = events[n].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
          if (fd >= LINES) { close(fd); continue; }
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          if (!lines[fd]) lines[fd] = calloc(1, sizeof(struct line));
          lines[fd]->length = 0; lines[fd]->body = 0;
          if (context) { lines[fd]->tls = SSL_new(context); SSL_set_fd(lines[fd]->tls, fd); SSL_set_accept_state(lines[fd]->tls); }
          event.events = EPOLLIN; event.data.fd = fd;
          epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
        }
        continue;
      }
      do {
        long got = get(fd, buffer);
        if (got < 0 && errno == EAGAIN) break;
        int done = got > 0 ? eat(lines[fd], buffer, got) : -1;
        for (; done > 0; done--) {
          if (delay > 0) {
            waiting[last % WAITING].fd = fd;
            waiting[last % WAITING].life = lines[fd]->life;
            waiting[last++ % WAITING].due = now() + delay;
          } else if (!put(fd)) { done = -1; break; }
        }
        if (done < 0) { hang_up(fd); break; }
      } while (lines[fd]->tls && SSL_pending(lines[fd]->tls));
    }
    for (double t = first != last ? now() : 0; first != last && waiting[first % WAITING].due <= t; first++) {
      int fd = waiting[first % WAITING].fd;
      if (lines[fd]->life == waiting[first % WAITING].life && !put(fd)) hang_up(fd);
    }
  }
}
