/*
 * mqttload - a small MQTT load generator for Linux (MQTT 3.1.1 and MQTT 5).
 *
 * One thread, epoll, nothing but libc.  Build:
 *
 *     cc -O2 -Wall -Wextra -o mqttload mqttload.c
 *
 * Modes: `conn` opens many connections and holds them, `pubsub` runs publishers and
 * subscribers and accounts for every message.  `mqttload --help` lists the options.
 *
 * How it measures
 *  - Every payload starts with a 24-byte header: run id, publisher index, sequence number,
 *    time stamp.  Publishers and subscribers are in this one process, so one monotonic clock
 *    gives end-to-end latency, and what should have arrived is known exactly.
 *  - Each subscriber keeps one bit per message that it should get: lost, duplicated and
 *    reordered counts are exact, not sampled.  Topic filters are matched here, too, to know
 *    who should get what; members of one shared subscription ($share/...) are one receiver.
 *  - At a fixed --rate the load is open loop: a message that could not be sent when it was due
 *    carries the time it was due, so a stalled broker cannot hide its stall.
 *  - Rates, latencies and CPU are taken from the window between warm-up and stop; loss is
 *    counted at the very end, after draining.
 *  - After its last message each publisher sends a PINGREQ.  The PINGRESP says that the broker
 *    has read everything before it: `ingest_per_s` is then an honest figure for QoS 0, where
 *    `sent_per_s` only says what the socket buffers took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 1, EXIT_CONNECT = 2, EXIT_DROPPED = 3, EXIT_LOSS = 4 };

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK,
       UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT };

#define SEC 1000000000ull          /* nanoseconds */
#define PAYLOAD_HEADER 24          /* run id 4, publisher 4, sequence 8, time stamp 8 */
#define BATCH_BYTES 16384          /* a QoS 0 publisher fills this much per write */
#define MAX_TARGETS 32
#define MAX_PIDS 8

/* ------------------------------------------------------------------ options and state */

struct target { struct sockaddr_storage addr; socklen_t len; };
struct targets { int n; struct target t[MAX_TARGETS]; };

static struct {
    bool conn_mode, json, verbose, strict, clean, purge, offline, retain;
    int version;                   /* protocol level: 4 is MQTT 3.1.1, 5 is MQTT 5 */
    int npub, nsub;                /* in conn mode nsub is the number of connections */
    int qos, sub_qos;
    int window;                    /* QoS 1 and 2: unacknowledged messages per publisher */
    int size;                      /* payload bytes */
    int keepalive;                 /* seconds */
    int user_properties;           /* MQTT 5: user properties of each PUBLISH */
    int conn_window;               /* connections being set up at the same time */
    int nsrc;                      /* source addresses 127.0.0.1 ... 127.0.0.nsrc */
    int sndbuf;                    /* publishers' socket send buffer, bytes */
    uint64_t max_lag;              /* pause publishing above this many undelivered */
    double rate;                   /* messages/s or connects/s in all; 0 is as fast as possible */
    double duration, warmup, drain, hold, timeout;   /* seconds */
    const char *topic, *filter, *id, *user, *pass;
    struct targets pub_to, sub_to;
    int npids;
    int pids[MAX_PIDS];            /* broker processes to watch */
} opt = {
    .clean = true, .version = 4, .npub = 1, .nsub = 1, .sub_qos = -1, .window = 20, .size = 64,
    .keepalive = 60, .conn_window = 100, .sndbuf = 65536, .duration = 8, .warmup = 1,
    .drain = 10, .timeout = 10, .topic = "load/%i",
};

struct buf { uint8_t *p; size_t len, cap; };

struct hist { uint64_t n, max, bucket[7552]; };

/* A publisher.  `tmpl` is its whole PUBLISH packet; sending is a copy and a few patched bytes.
 * Packet identifiers are 1..window; the free ones wait in the ring `ids`. */
struct pub {
    uint8_t *tmpl;
    size_t len, id_at, payload_at;
    uint64_t seq;                  /* messages sent, and the next sequence number */
    uint64_t matches;              /* subscribers (or shared groups) that should get each one */
    int window, inflight;
    uint16_t *ids;
    unsigned ids_head, ids_tail;
    uint64_t *sent_at;             /* by packet identifier - 1; 0 when not in flight */
    uint32_t pings;                /* PINGREQs not yet answered */
};

/* What one receiver got from one publisher: a bit per sequence number. */
struct track { uint64_t top, words, *bits; };

/* A receiver: one subscriber, or all members of one shared subscription. */
struct sink { char *filter; bool shared; int npubs; int *pubs; struct track *tracks; };

enum kind { PUB, SUB };
enum state { CLOSED, TCP_WAIT, CONNACK_WAIT, SUBACK_WAIT, READY };

struct client {
    enum kind kind;
    enum state state;
    int fd, idx;
    uint32_t interest;             /* epoll events asked for */
    bool dirty, subscribed;
    uint64_t opened_at, last_tx;
    struct buf in, out;            /* an incomplete packet; bytes not yet sent */
    struct pub *pub;               /* publishers */
    struct sink *sink;             /* subscribers in pubsub mode */
    uint8_t *qos2_ids;             /* subscribers: bitmap of identifiers between PUBREC and PUBREL */
};

struct counters { uint64_t sent, acked, recv, unique; };

static struct {
    int ep;
    struct client *clients;        /* subscribers first, then publishers */
    int nclients;
    struct sink *sinks;
    int nsinks;
    /* connecting */
    int conn_from, conn_next, conn_end, pending, ready, failed, dropped;
    uint64_t conn_t0, last_ready;
    struct hist h_conn;
    /* publishing */
    bool publishing, ending, measuring, tick_driven;
    uint64_t t_pub;                /* publishing began */
    uint64_t t_barrier, t_last_recv;
    int rr;                        /* round robin over publishers */
    struct client **dirty;
    int ndirty;
    struct counters cnt;
    uint64_t expected, dup, reordered, stale, resent, errors;
    struct hist h_e2e, h_ack;
    uint32_t run_id;
    uint64_t next_second;
    struct counters last;          /* for --verbose */
    char first_error[160];
    volatile sig_atomic_t stop;
} g;

/* ------------------------------------------------------------------ small helpers */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SEC + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn, format(printf, 2, 3)))
static void die(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("mqttload: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(code);
}

static void *alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p) die(EXIT_USAGE, "out of memory");
    return p;
}

/* Room for n more bytes at the end of the buffer. */
static uint8_t *buf_room(struct buf *b, size_t n)
{
    if (b->len + n > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < b->len + n) cap *= 2;
        b->p = realloc(b->p, cap);
        if (!b->p) die(EXIT_USAGE, "out of memory");
        b->cap = cap;
    }
    return b->p + b->len;
}

static void buf_free(struct buf *b) { free(b->p); *b = (struct buf){ 0 }; }

static void put_bytes(struct buf *b, const void *p, size_t n)
{
    if (n) memcpy(buf_room(b, n), p, n);
    b->len += n;
}

static void put8(struct buf *b, unsigned v) { *buf_room(b, 1) = (uint8_t)v; b->len++; }
static void put16(struct buf *b, unsigned v) { put8(b, v >> 8); put8(b, v & 255); }
static void put_str(struct buf *b, const char *s) { put16(b, (unsigned)strlen(s)); put_bytes(b, s, strlen(s)); }

static void put_varint(struct buf *b, uint32_t v)
{
    do { put8(b, (v & 127) | (v > 127 ? 128 : 0)); v >>= 7; } while (v);
}

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* Decodes a variable byte integer; returns its length, 0 if incomplete, -1 if malformed. */
static int get_varint(const uint8_t *p, size_t n, uint32_t *v)
{
    *v = 0;
    for (int i = 0; i < 4; i++) {
        if ((size_t)i >= n) return 0;
        *v |= (uint32_t)(p[i] & 127) << (7 * i);
        if (!(p[i] & 128)) return i + 1;
    }
    return -1;
}

/* Fixed header + body, appended to dst. */
static void put_packet(struct buf *dst, unsigned hdr, const struct buf *body)
{
    put8(dst, hdr);
    put_varint(dst, (uint32_t)body->len);
    put_bytes(dst, body->p, body->len);
}

/* Log-linear histogram, buckets under 1 % wide. */
static void hist_add(struct hist *h, uint64_t v)
{
    int e = v < 256 ? 0 : 56 - __builtin_clzll(v);
    h->bucket[((unsigned)e << 7) + (v >> e)]++;
    h->n++;
    if (v > h->max) h->max = v;
}

static double hist_us(const struct hist *h, double pct)
{
    uint64_t want = (uint64_t)((double)h->n * pct / 100.0), seen = 0;
    for (unsigned i = 0; h->n && i < sizeof h->bucket / sizeof *h->bucket; i++) {
        seen += h->bucket[i];
        if (seen > want || seen == h->n) {
            unsigned e = i < 256 ? 0 : (i >> 7) - 1;
            double v = (double)((uint64_t)(i - (e << 7)) << e) + (double)((1ull << e) - 1) / 2;
            return (v < (double)h->max ? v : (double)h->max) / 1000.0;
        }
    }
    return 0;
}

/* CPU time of a process (all threads) in seconds; 0 when it is gone. */
static double proc_cpu(int pid)
{
    char path[64], line[1024], *p;
    unsigned long ut = 0, st = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    p = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st) != 2) return 0;
    return (double)(ut + st) / (double)sysconf(_SC_CLK_TCK);
}

static long proc_rss_kb(int pid)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
    fclose(f);
    return kb;
}

static double own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* "%i" in a pattern becomes the index. */
static char *expand(const char *pattern, int idx)
{
    struct buf b = { 0 };
    char num[16];
    snprintf(num, sizeof num, "%d", idx);
    for (const char *s = pattern; *s; s++) {
        if (s[0] == '%' && s[1] == 'i') { put_bytes(&b, num, strlen(num)); s++; }
        else put8(&b, (unsigned char)*s);
    }
    put8(&b, 0);
    return (char *)b.p;
}

static bool topic_matches(const char *f, const char *t)
{
    if (*t == '$' && (*f == '+' || *f == '#')) return false;
    for (;;) {
        if (*f == '#') return true;
        if (*f == '+') {
            f++;
            while (*t && *t != '/') t++;
        } else {
            while (*f && *f != '/' && *f == *t) f++, t++;
        }
        if (!*t && (!*f || !strcmp(f, "/#"))) return true;
        if (*f != '/' || *t != '/') return false;
        f++, t++;
    }
}

/* ------------------------------------------------------------------ connections */

static void on_connection_end(struct client *c, const char *why);

static void set_interest(struct client *c)
{
    bool flood = c->kind == PUB && c->state == READY && g.publishing && !g.tick_driven && opt.qos == 0;
    uint32_t want = EPOLLIN | (c->state == TCP_WAIT || c->out.len || flood ? EPOLLOUT : 0);
    if (want == c->interest) return;
    struct epoll_event ev = { .events = want, .data.ptr = c };
    epoll_ctl(g.ep, c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev);
    c->interest = want;
}

/* Writes what is waiting. */
static void flush(struct client *c)
{
    size_t done = 0;
    while (done < c->out.len) {
        ssize_t n = send(c->fd, c->out.p + done, c->out.len - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) { on_connection_end(c, strerror(errno)); return; }
        if (n < 0) break;
        done += (size_t)n;
    }
    if (done) c->last_tx = now_ns();
    c->out.len -= done;
    if (c->out.len && done) memmove(c->out.p, c->out.p + done, c->out.len);
    if (!c->out.len && c->out.cap > 4 * BATCH_BYTES) buf_free(&c->out);
    set_interest(c);
}

static void client_close(struct client *c)
{
    if (c->state == CLOSED) return;
    close(c->fd);
    c->state = CLOSED;
    c->interest = 0;
    buf_free(&c->in);
    buf_free(&c->out);
}

static void on_connection_end(struct client *c, const char *why)
{
    if (!*g.first_error)
        snprintf(g.first_error, sizeof g.first_error, "%s %d: %s%s", c->kind == PUB ? "publisher" : "subscriber",
                 c->idx, why, c->state == TCP_WAIT ? " (connecting)" : c->state != READY ? " (in handshake)" : "");
    if (c->state == READY) g.dropped++;
    else { g.failed++; g.pending--; g.last_ready = now_ns(); }
    client_close(c);
}

/* The client is connected (and subscribed, if it subscribes). */
static void on_ready(struct client *c, uint64_t now)
{
    c->state = READY;
    g.pending--;
    g.ready++;
    g.last_ready = now;
}

/* A blocking or non-blocking TCP socket to the client's broker; -1 and errno on failure. */
static int tcp_open(const struct client *c, int flags)
{
    const struct targets *to = c->kind == PUB ? &opt.pub_to : &opt.sub_to;
    const struct target *t = &to->t[c->idx % to->n];
    int one = 1, fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->kind == PUB && opt.sndbuf) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &opt.sndbuf, sizeof opt.sndbuf);
    if (opt.nsrc > 1 && t->addr.ss_family == AF_INET) {
        /* one source address has some 28,000 ports: spread over several */
        struct sockaddr_in src = { .sin_family = AF_INET };
        src.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(c->idx % opt.nsrc));
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&src, sizeof src) < 0) goto failed;
    }
    if (connect(fd, (const struct sockaddr *)&t->addr, t->len) < 0 && errno != EINPROGRESS) goto failed;
    return fd;
failed:
    one = errno;
    close(fd);
    errno = one;
    return -1;
}

static void client_open(struct client *c, uint64_t now)
{
    c->state = TCP_WAIT;
    c->opened_at = now;
    g.pending++;
    c->fd = tcp_open(c, SOCK_NONBLOCK);
    if (c->fd < 0) { on_connection_end(c, strerror(errno)); return; }
    set_interest(c);
}

static void put_connect(struct buf *out, const struct client *c, bool clean)
{
    struct buf b = { 0 };
    char id[128];
    snprintf(id, sizeof id, "%s-%c%d", opt.id, c->kind == PUB ? 'p' : 's', c->idx);
    put_str(&b, "MQTT");
    put8(&b, (unsigned)opt.version);
    put8(&b, (clean ? 2u : 0) | (opt.user ? 128u : 0) | (opt.pass ? 64u : 0));
    put16(&b, (unsigned)opt.keepalive);
    if (opt.version == 5) {
        if (clean) put8(&b, 0);
        else { put8(&b, 5); put8(&b, 0x11); put16(&b, 0); put16(&b, 3600); }   /* session expiry: 1 h */
    }
    put_str(&b, id);
    if (opt.user) put_str(&b, opt.user);
    if (opt.pass) put_str(&b, opt.pass);
    put_packet(out, CONNECT << 4, &b);
    buf_free(&b);
}

static void put_subscribe(struct buf *out, const char *filter)
{
    struct buf b = { 0 };
    put16(&b, 1);
    if (opt.version == 5) put8(&b, 0);
    put_str(&b, filter);
    put8(&b, (unsigned)opt.sub_qos);
    put_packet(out, SUBSCRIBE << 4 | 2, &b);
    buf_free(&b);
}

static void put_ack(struct buf *out, unsigned hdr, unsigned id)
{
    uint8_t *p = buf_room(out, 4);
    p[0] = (uint8_t)hdr, p[1] = 2, p[2] = (uint8_t)(id >> 8), p[3] = (uint8_t)id;
    out->len += 4;
}

/* Ends a persistent session: connects once more with a clean session (blocking). */
static void purge_session(const struct client *c)
{
    struct buf b = { 0 };
    struct timeval limit = { .tv_sec = 5 };
    uint8_t reply[256];
    int fd = tcp_open(c, 0);
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    put_connect(&b, c, true);
    if (send(fd, b.p, b.len, MSG_NOSIGNAL) > 0 && recv(fd, reply, sizeof reply, 0) > 0)
        (void)!send(fd, "\xe0\0", 2, MSG_NOSIGNAL);
    buf_free(&b);
    close(fd);
}

/* ------------------------------------------------------------------ publishing */

/* The properties of a PUBLISH: as many user properties as asked for. */
static void put_user_properties(struct buf *b)
{
    struct buf props = { 0 };
    char name[32], value[32];
    for (int i = 0; i < opt.user_properties; i++) {
        snprintf(name, sizeof name, "property-%d", i);
        snprintf(value, sizeof value, "value of property %d", i);
        put8(&props, 0x26);
        put_str(&props, name);
        put_str(&props, value);
    }
    put_varint(b, (uint32_t)props.len);
    put_bytes(b, props.p, props.len);
    buf_free(&props);
}

static void pub_init(struct client *c)
{
    struct pub *p = c->pub = alloc(1, sizeof *p);
    struct buf body = { 0 }, pkt = { 0 };
    char *topic = expand(opt.topic, c->idx);
    put_str(&body, topic);
    free(topic);
    p->id_at = body.len;
    if (opt.qos) put16(&body, 0);
    if (opt.version == 5) put_user_properties(&body);
    p->payload_at = body.len;
    memset(buf_room(&body, (size_t)opt.size), 'x', (size_t)opt.size);
    body.len += (size_t)opt.size;
    put_packet(&pkt, (unsigned)(PUBLISH << 4 | opt.qos << 1 | opt.retain), &body);
    p->id_at += pkt.len - body.len;
    p->payload_at += pkt.len - body.len;
    buf_free(&body);
    p->tmpl = pkt.p;
    p->len = pkt.len;
    p->window = opt.window;
    p->ids = alloc((size_t)opt.window, sizeof *p->ids);
    p->sent_at = alloc((size_t)opt.window, sizeof *p->sent_at);
    for (int i = 0; i < opt.window; i++) p->ids[i] = (uint16_t)(i + 1);
}

static bool can_publish(const struct client *c)
{
    if (c->state != READY || c->out.len >= BATCH_BYTES + c->pub->len) return false;
    return opt.qos == 0 || c->pub->inflight < c->pub->window;
}

/* Puts the next message into the client's output buffer. */
static void publish(struct client *c, uint64_t now, uint64_t stamp)
{
    struct pub *p = c->pub;
    uint8_t *b = buf_room(&c->out, p->len);
    memcpy(b, p->tmpl, p->len);
    if (opt.qos) {
        unsigned id = p->ids[p->ids_head++ % (unsigned)opt.window];
        b[p->id_at] = (uint8_t)(id >> 8);
        b[p->id_at + 1] = (uint8_t)id;
        p->sent_at[id - 1] = now;
        p->inflight++;
    }
    uint32_t idx = (uint32_t)c->idx;
    b += p->payload_at;
    memcpy(b, &g.run_id, 4);
    memcpy(b + 4, &idx, 4);
    memcpy(b + 8, &p->seq, 8);
    memcpy(b + 16, &stamp, 8);
    c->out.len += p->len;
    p->seq++;
    g.cnt.sent++;
    g.expected += p->matches;
}

/* As fast as possible: QoS 1 and 2 refill the window, QoS 0 fills one batch. */
static void publish_max(struct client *c)
{
    if (!g.publishing || g.tick_driven || g.stop) return;
    while (c->out.len < BATCH_BYTES && can_publish(c)) {
        uint64_t now = now_ns();
        publish(c, now, now);
    }
}

/* --rate and --max-lag: sends what is due, round robin; returns when to look again. */
static uint64_t publish_due(uint64_t now)
{
    uint64_t budget = UINT64_MAX, wake = UINT64_MAX;
    double per = 0;
    if (opt.rate > 0) {
        per = (double)SEC / opt.rate;
        uint64_t due = (uint64_t)((double)(now - g.t_pub) / per) + 1;
        budget = due > g.cnt.sent ? due - g.cnt.sent : 0;
        wake = g.t_pub + (uint64_t)((double)due * per) + 1;
    }
    for (int blocked = 0; budget && blocked < opt.npub; ) {
        if (opt.max_lag && g.expected > g.cnt.unique + opt.max_lag) break;
        struct client *c = &g.clients[opt.nsub + g.rr];
        g.rr = (g.rr + 1) % opt.npub;
        if (!can_publish(c)) { blocked++; continue; }
        blocked = 0;
        uint64_t stamp = now;
        if (per > 0) {
            /* under 1 ms late is this program's timer: use the true time of sending */
            uint64_t due_at = g.t_pub + (uint64_t)((double)g.cnt.sent * per);
            if (due_at + SEC / 1000 < now) stamp = due_at;
        }
        publish(c, now, stamp);
        if (!c->dirty) { c->dirty = true; g.dirty[g.ndirty++] = c; }
        budget--;
    }
    for (int i = 0; i < g.ndirty; i++) {
        g.dirty[i]->dirty = false;
        if (g.dirty[i]->state == READY) flush(g.dirty[i]);
    }
    g.ndirty = 0;
    return wake;
}

/* The last acknowledgement of a message: PUBACK, PUBCOMP, or a PUBREC that refuses it. */
static void on_acked(struct client *c, unsigned id, uint64_t now)
{
    struct pub *p = c->pub;
    if (id < 1 || id > (unsigned)opt.window || !p->sent_at[id - 1]) { g.errors++; return; }
    if (g.measuring) hist_add(&g.h_ack, now - p->sent_at[id - 1]);
    p->sent_at[id - 1] = 0;
    p->ids[p->ids_tail++ % (unsigned)opt.window] = (uint16_t)id;
    p->inflight--;
    g.cnt.acked++;
}

/* ------------------------------------------------------------------ receiving */

static int cmp_int(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Accounts for one message at one receiver. */
static void account(struct sink *s, uint32_t pub, uint64_t seq, uint64_t stamp, uint64_t now)
{
    if ((int)pub >= opt.npub || seq >= g.clients[opt.nsub + (int)pub].pub->seq) { g.stale++; return; }
    int key = (int)pub;
    int *at = s->npubs == opt.npub ? &s->pubs[key] : bsearch(&key, s->pubs, (size_t)s->npubs, sizeof key, cmp_int);
    if (!at) { g.errors++; return; }             /* a message that this filter does not match */
    struct track *t = &s->tracks[at - s->pubs];
    if (seq / 64 >= t->words) {
        uint64_t words = t->words ? t->words : 8;
        while (seq / 64 >= words) words *= 2;
        t->bits = realloc(t->bits, words * 8);
        if (!t->bits) die(EXIT_USAGE, "out of memory");
        memset(t->bits + t->words, 0, (words - t->words) * 8);
        t->words = words;
    }
    g.cnt.recv++;
    g.t_last_recv = now;
    if (g.measuring) hist_add(&g.h_e2e, now > stamp ? now - stamp : 0);
    uint64_t bit = 1ull << (seq & 63);
    if (t->bits[seq / 64] & bit) { g.dup++; return; }
    t->bits[seq / 64] |= bit;
    g.cnt.unique++;
    if (seq >= t->top) t->top = seq + 1;
    else if (!s->shared) g.reordered++;          /* the order within a shared group is undefined */
}

static void on_publish(struct client *c, unsigned hdr, const uint8_t *b, uint32_t n, uint64_t now)
{
    unsigned qos = hdr >> 1 & 3, id = 0;
    uint32_t at = 2, props;
    if (n < 2 || (at += get16(b)) + (qos ? 2 : 0) > n) { g.errors++; return; }
    if (qos) { id = get16(b + at); at += 2; }
    if (opt.version == 5) {
        int len = get_varint(b + at, n - at, &props);
        if (len <= 0 || at + (uint32_t)len + props > n) { g.errors++; return; }
        at += (uint32_t)len + props;
    }
    if (qos == 1) put_ack(&c->out, PUBACK << 4, id);
    if (qos == 2) {
        put_ack(&c->out, PUBREC << 4, id);
        if (!c->qos2_ids) c->qos2_ids = alloc(8192, 1);
        if (c->qos2_ids[id >> 3] >> (id & 7) & 1) { g.resent++; return; }   /* a retry, handled before */
        c->qos2_ids[id >> 3] |= (uint8_t)(1 << (id & 7));
    }
    uint32_t run, pub;
    uint64_t seq, stamp;
    if (n - at < PAYLOAD_HEADER) { g.stale++; return; }
    memcpy(&run, b + at, 4);
    memcpy(&pub, b + at + 4, 4);
    memcpy(&seq, b + at + 8, 8);
    memcpy(&stamp, b + at + 16, 8);
    if (run != g.run_id || !c->sink) g.stale++;  /* left over from an earlier run */
    else account(c->sink, pub, seq, stamp, now);
}

/* MQTT 5: the broker's Receive Maximum, from the properties of its CONNACK. */
static unsigned receive_maximum(const uint8_t *b, uint32_t n)
{
    uint32_t left, at = 0, v;
    int k = get_varint(b, n, &left);
    if (k <= 0 || left > n - (uint32_t)k) return 65535;
    b += k;
    while (at < left) {
        unsigned id = b[at++];
        if (id == 0x21 && at + 2 <= left) return get16(b + at);
        switch (id) {
        case 0x13: case 0x22: case 0x23: at += 2; break;
        case 0x02: case 0x11: case 0x18: case 0x27: at += 4; break;
        case 0x0b: k = get_varint(b + at, left - at, &v); at += k > 0 ? (uint32_t)k : left; break;
        case 0x26: if (at + 2 <= left) at += 2 + get16(b + at);   /* a pair: two strings */
                   /* fall through */
        case 0x03: case 0x08: case 0x09: case 0x12: case 0x15: case 0x16: case 0x1a: case 0x1c: case 0x1f:
            at += at + 2 <= left ? 2 + get16(b + at) : left; break;
        default: at += 1;
        }
    }
    return 65535;
}

static void on_packet(struct client *c, unsigned hdr, const uint8_t *b, uint32_t n, uint64_t now)
{
    unsigned type = hdr >> 4, id = n >= 2 ? get16(b) : 0;
    bool refused;
    char why[64];
    switch (type) {
    case CONNACK:
        if (n < 2 || b[1] != 0 || c->state != CONNACK_WAIT) {
            snprintf(why, sizeof why, "CONNACK refused, code %d", n < 2 ? -1 : b[1]);
            on_connection_end(c, why);
            return;
        }
        hist_add(&g.h_conn, now - c->opened_at);
        if (c->kind == PUB && opt.version == 5) {
            int max = (int)receive_maximum(b + 2, n - 2);
            if (c->pub->window > max) c->pub->window = max;
        }
        if (c->kind == SUB && opt.filter && !c->subscribed) {
            char *filter = expand(opt.filter, c->idx);
            put_subscribe(&c->out, filter);
            free(filter);
            c->state = SUBACK_WAIT;
        } else on_ready(c, now);
        break;
    case SUBACK:
        if (c->state != SUBACK_WAIT || n < 3 || b[n - 1] >= 128) {
            snprintf(why, sizeof why, "SUBSCRIBE refused, code %d", n < 3 ? -1 : b[n - 1]);
            on_connection_end(c, why);
            return;
        }
        c->subscribed = true;
        on_ready(c, now);
        break;
    case PUBLISH: on_publish(c, hdr, b, n, now); break;
    case PUBACK: case PUBREC: case PUBCOMP:
        refused = n >= 3 && b[2] >= 128;         /* MQTT 5 reason code */
        if (refused || !c->pub) g.errors++;
        if (!c->pub) break;
        if (type == PUBREC && !refused) put_ack(&c->out, PUBREL << 4 | 2, id);
        else { on_acked(c, id, now); publish_max(c); }
        break;
    case PUBREL:
        put_ack(&c->out, PUBCOMP << 4, id);
        if (c->qos2_ids) c->qos2_ids[id >> 3] &= (uint8_t)~(1 << (id & 7));
        break;
    case PINGRESP:
        if (c->kind == PUB && c->pub->pings) { c->pub->pings--; if (g.ending) g.t_barrier = now; }
        break;
    case DISCONNECT:
        snprintf(why, sizeof why, "DISCONNECT from broker, code %d", n ? b[0] : 0);
        on_connection_end(c, why);
        break;
    default: g.errors++;
    }
}

/* Reads once and handles all complete packets; level-triggered epoll calls again for more. */
static void on_readable(struct client *c)
{
    static uint8_t *rbuf;
    static size_t cap;
    size_t have = c->in.len, at = 0;
    if (cap < have + 262144) {
        cap = 2 * have + 262144;
        rbuf = realloc(rbuf, cap);
        if (!rbuf) die(EXIT_USAGE, "out of memory");
    }
    ssize_t got = recv(c->fd, rbuf + have, cap - have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) { on_connection_end(c, got ? strerror(errno) : "closed by broker"); return; }
    if (have) memcpy(rbuf, c->in.p, have);
    have += (size_t)got;
    uint64_t now = now_ns();
    while (have - at >= 2) {
        uint32_t n;
        int k = get_varint(rbuf + at + 1, have - at - 1, &n);
        if (k < 0) { on_connection_end(c, "malformed packet from broker"); return; }
        if (k == 0 || have - at < 1 + (size_t)k + n) break;
        on_packet(c, rbuf[at], rbuf + at + 1 + k, n, now);
        if (c->state == CLOSED) return;
        at += 1 + (size_t)k + n;
    }
    c->in.len = 0;
    put_bytes(&c->in, rbuf + at, have - at);
    if (c->out.len) flush(c);
}

static void on_writable(struct client *c)
{
    if (c->state == TCP_WAIT) {
        int err = 0;
        socklen_t len = sizeof err;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err) { on_connection_end(c, strerror(err)); return; }
        c->state = CONNACK_WAIT;
        put_connect(&c->out, c, opt.clean);
    } else if (!c->out.len && c->kind == PUB && opt.qos == 0) publish_max(c);
    flush(c);
}

/* ------------------------------------------------------------------ event loop */

static void ping(struct client *c)
{
    put_bytes(&c->out, "\xc0\0", 2);
    if (c->pub) c->pub->pings++;
    flush(c);
}

/* Once a second: keep-alive and the --verbose line. */
static void every_second(uint64_t now)
{
    g.next_second = now + SEC;
    for (int i = 0; opt.keepalive && i < g.nclients; i++) {
        struct client *c = &g.clients[i];
        if (c->state == READY && now > c->last_tx + (unsigned)opt.keepalive * SEC / 2) ping(c);
    }
    if (!opt.verbose) return;
    fprintf(stderr, "%6.1fs ready %d  sent/s %llu  acked/s %llu  recv/s %llu%s\n", (double)(now - g.conn_t0) / 1e9, g.ready,
            (unsigned long long)(g.cnt.sent - g.last.sent), (unsigned long long)(g.cnt.acked - g.last.acked),
            (unsigned long long)(g.cnt.recv - g.last.recv), g.measuring ? "" : g.publishing ? "  (warm-up)" : "  (idle)");
    g.last = g.cnt;
}

/* Work that is due by the clock; returns when to call again. */
static uint64_t tick(uint64_t now)
{
    uint64_t wake = g.next_second;
    while (g.conn_next < g.conn_end && g.pending < opt.conn_window) {
        if (opt.conn_mode && opt.rate > 0) {
            uint64_t due = g.conn_t0 + (uint64_t)((double)(g.conn_next - g.conn_from) * (double)SEC / opt.rate);
            if (due > now) { if (due < wake) wake = due; break; }
        }
        client_open(&g.clients[g.conn_next++], now);
    }
    if (g.publishing && g.tick_driven) {
        uint64_t t = publish_due(now);
        if (t < wake) wake = t;
    }
    if (now >= g.next_second) every_second(now);
    return wake;
}

/* Runs until `end`, until done() says so, or until interrupted. */
static void run(uint64_t end, bool (*done)(uint64_t now))
{
    struct epoll_event ev[512];
    for (uint64_t now; (now = now_ns()) < end && !g.stop && !(done && done(now)); ) {
        uint64_t wake = tick(now);
        now = now_ns();
        if (wake > end) wake = end;
        wake = wake > now ? wake - now : 0;
        struct timespec ts = { .tv_sec = (time_t)(wake / SEC), .tv_nsec = (long)(wake % SEC) };
        int n = epoll_pwait2(g.ep, ev, 512, &ts, NULL);
        for (int i = 0; i < n; i++) {
            struct client *c = ev[i].data.ptr;
            uint32_t e = ev[i].events;
            if (c->state == TCP_WAIT) { on_writable(c); continue; }
            if (e & (EPOLLIN | EPOLLERR | EPOLLHUP)) on_readable(c);
            if (c->state != CLOSED && e & EPOLLOUT) on_writable(c);
        }
    }
}

static uint64_t after(double seconds) { return now_ns() + (uint64_t)(seconds * 1e9); }

/* Everyone is connected or has failed, or nothing has moved for --timeout. */
static bool connected(uint64_t now)
{
    return (g.conn_next == g.conn_end && !g.pending) ||
           (g.pending && now > g.last_ready + (uint64_t)(opt.timeout * 1e9));
}

static void connect_clients(int from, int to)
{
    g.conn_from = g.conn_next = from;
    g.conn_end = to;
    g.conn_t0 = g.last_ready = now_ns();
    run(UINT64_MAX, connected);
    if (g.pending && !*g.first_error) snprintf(g.first_error, sizeof g.first_error, "no answer for %g s", opt.timeout);
    g.failed += g.pending + (g.conn_end - g.conn_next);
    g.conn_next = g.conn_end;
    g.pending = 0;
}

static void disconnect_clients(int from, int to)
{
    for (int i = from; i < to; i++) {
        struct client *c = &g.clients[i];
        if (c->state == READY) (void)!send(c->fd, "\xe0\0", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
        client_close(c);
    }
}

/* ------------------------------------------------------------------ reporting */

static struct { char name[40]; double value; } metrics[96];
static int nmetrics;

static void metric(const char *name, double value)
{
    snprintf(metrics[nmetrics].name, sizeof metrics[0].name, "%s", name);
    metrics[nmetrics++].value = value;
}

static void metric_hist(const char *name, const struct hist *h)
{
    static const struct { const char *tag; double pct; } p[] = { { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "p999", 99.9 } };
    char key[40];
    if (!h->n) return;
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        snprintf(key, sizeof key, "%s_%s_us", name, p[i].tag);
        metric(key, hist_us(h, p[i].pct));
    }
    snprintf(key, sizeof key, "%s_max_us", name);
    metric(key, (double)h->max / 1000.0);
}

static void print_metrics(void)
{
    if (opt.json) printf("{\"mode\":\"%s\"", opt.conn_mode ? "conn" : "pubsub");
    for (int i = 0; i < nmetrics; i++) {
        double v = metrics[i].value;
        int digits = v == (double)(long long)v ? 0 : v < 10 && v > -10 ? 3 : v < 100 && v > -100 ? 2 : 1;
        printf(opt.json ? ",\"%s\":%.*f" : "%-22s %.*f\n", metrics[i].name, digits, v);
    }
    if (opt.json) {
        fputs(",\"error\":\"", stdout);
        for (const char *s = g.first_error; *s; s++) putchar(*s == '"' || *s == '\\' ? '\'' : *s);
        puts("\"}");
    } else if (*g.first_error) printf("%-22s %s\n", "error", g.first_error);
}

/* CPU of this program and of the watched processes, between two marks. */
struct cpu_mark { double at, own, pid[MAX_PIDS]; };

static struct cpu_mark cpu_mark(void)
{
    struct cpu_mark m = { .at = (double)now_ns() / 1e9, .own = own_cpu() };
    for (int i = 0; i < opt.npids; i++) m.pid[i] = proc_cpu(opt.pids[i]);
    return m;
}

/* Shares of a core from a to b; CPU time per message from a0 to b0 (the whole run). */
static void metric_cpu(const struct cpu_mark *a, const struct cpu_mark *b, const struct cpu_mark *a0,
                       const struct cpu_mark *b0, double msgs)
{
    char key[40];
    double wall = b->at - a->at;
    metric("gen_cpu_pct", 100 * (b->own - a->own) / wall);
    for (int i = 0; i < opt.npids; i++) {
        snprintf(key, sizeof key, "pid%d_gone", i);
        if (b0->pid[i] < a0->pid[i]) { metric(key, 1); continue; }
        snprintf(key, sizeof key, "pid%d_cpu_pct", i);
        metric(key, 100 * (b->pid[i] - a->pid[i]) / wall);
        snprintf(key, sizeof key, "pid%d_cpu_us_per_msg", i);
        if (msgs > 0) metric(key, 1e6 * (b0->pid[i] - a0->pid[i]) / msgs);
        snprintf(key, sizeof key, "pid%d_rss_kb", i);
        metric(key, (double)proc_rss_kb(opt.pids[i]));
    }
}

/* ------------------------------------------------------------------ modes */

static int run_conn(void)
{
    long rss0[MAX_PIDS];
    char key[40];
    for (int i = 0; i < opt.npids; i++) rss0[i] = proc_rss_kb(opt.pids[i]);
    struct cpu_mark m0 = cpu_mark();
    uint64_t t0 = now_ns();
    connect_clients(0, opt.nsub);
    double took = (double)(g.last_ready - t0) / 1e9;
    struct cpu_mark m1 = cpu_mark();
    run(after(opt.hold), NULL);
    metric("connections", g.ready);
    metric("failed", g.failed);
    metric("dropped", g.dropped);
    metric("seconds", took);
    metric("conn_per_s", took > 0 ? g.ready / took : 0);
    metric_hist("connack", &g.h_conn);
    metric_cpu(&m0, &m1, &m0, &m1, g.ready);
    for (int i = 0; i < opt.npids && g.ready; i++) {
        snprintf(key, sizeof key, "pid%d_rss_before_kb", i);
        metric(key, (double)rss0[i]);
        snprintf(key, sizeof key, "pid%d_bytes_per_conn", i);
        metric(key, (double)(proc_rss_kb(opt.pids[i]) - rss0[i]) * 1024.0 / g.ready);
    }
    disconnect_clients(0, g.nclients);
    print_metrics();
    return g.failed ? EXIT_CONNECT : g.dropped ? EXIT_DROPPED : 0;
}

/* Finds out who should get what. */
static void build_sinks(void)
{
    char **topics = alloc((size_t)opt.npub, sizeof *topics);
    for (int p = 0; p < opt.npub; p++) topics[p] = expand(opt.topic, p);
    g.sinks = alloc((size_t)opt.nsub, sizeof *g.sinks);
    for (int s = 0; s < opt.nsub; s++) {
        char *full = expand(opt.filter, s), *filter = full;
        struct client *c = &g.clients[s];
        if (!strncmp(full, "$share/", 7)) {
            for (int i = 0; i < g.nsinks && !c->sink; i++)
                if (!strcmp(g.sinks[i].filter, full)) c->sink = &g.sinks[i];
            if (c->sink) { free(full); continue; }
            filter = strchr(full + 7, '/');
            if (!filter) die(EXIT_USAGE, "malformed shared filter %s", full);
            filter++;
        }
        struct sink *k = c->sink = &g.sinks[g.nsinks++];
        k->filter = full;
        k->shared = filter != full;
        for (int pass = 0; pass < 2; pass++) {   /* count, then list */
            int n = 0;
            for (int p = 0; p < opt.npub; p++) {
                if (!topic_matches(filter, topics[p])) continue;
                if (pass) { k->pubs[n] = p; g.clients[opt.nsub + p].pub->matches++; }
                n++;
            }
            if (pass) break;
            k->npubs = n;
            k->pubs = alloc((size_t)n, sizeof *k->pubs);
            k->tracks = alloc((size_t)n, sizeof *k->tracks);
        }
    }
    for (int p = 0; p < opt.npub; p++) free(topics[p]);
    free(topics);
}

static bool all_acked(void)
{
    for (int i = opt.nsub; i < g.nclients; i++) {
        const struct client *c = &g.clients[i];
        if (c->state == READY && (c->pub->pings || c->pub->inflight || c->out.len)) return false;
    }
    return true;
}

static bool published(uint64_t now) { (void)now; return all_acked(); }

/* Everything has arrived, or nothing has come for 5 s. */
static bool drained(uint64_t now)
{
    return all_acked() && (g.cnt.unique >= g.expected || now > g.t_last_recv + 5 * SEC);
}

static int run_pubsub(void)
{
    connect_clients(0, opt.nsub);
    if (opt.offline) { disconnect_clients(0, opt.nsub); g.ready -= opt.nsub; }
    if (!g.failed) connect_clients(opt.nsub, g.nclients);
    if (g.failed) {
        disconnect_clients(0, g.nclients);
        metric("failed", g.failed);
        if (opt.json) print_metrics();
        die(EXIT_CONNECT, "could not connect %d of %d clients: %s", g.failed, g.nclients, g.first_error);
    }

    /* publish: warm-up, then the measured window */
    struct cpu_mark m_first = cpu_mark();
    g.t_pub = g.t_last_recv = now_ns();
    g.publishing = true;
    g.tick_driven = opt.rate > 0 || opt.max_lag > 0;
    for (int i = opt.nsub; i < g.nclients; i++) {
        publish_max(&g.clients[i]);
        if (g.clients[i].state == READY) flush(&g.clients[i]);
    }
    run(after(opt.warmup), NULL);
    struct counters c0 = g.cnt;
    struct cpu_mark m0 = cpu_mark();
    g.measuring = true;
    run(after(opt.duration), NULL);
    g.measuring = false;
    struct cpu_mark m1 = cpu_mark();
    struct counters c1 = g.cnt;

    /* stop, wait for acknowledgements, drain */
    g.publishing = false;
    g.ending = true;
    for (int i = opt.nsub; i < g.nclients; i++)
        if (g.clients[i].state == READY) ping(&g.clients[i]);
    uint64_t t_stop = g.t_last_recv = now_ns(), end = after(opt.drain);
    if (opt.offline) {
        run(end, published);
        t_stop = g.t_last_recv = now_ns();
        end = after(opt.drain);
        connect_clients(0, opt.nsub);
    }
    run(end, drained);
    struct cpu_mark m_last = cpu_mark();

    double wall = m1.at - m0.at;
    double pub_time = (double)(g.t_barrier - g.t_pub) / 1e9, drain_time = (double)(g.t_last_recv - t_stop) / 1e9;
    uint64_t lost = g.expected > g.cnt.unique ? g.expected - g.cnt.unique : 0;
    double recv = (double)(c1.recv - c0.recv), sent = (double)(c1.sent - c0.sent);
    metric("publishers", opt.npub);
    metric("subscribers", opt.nsub);
    metric("qos", opt.qos);
    metric("seconds", wall);
    metric("sent_per_s", sent / wall);
    if (opt.qos) metric("acked_per_s", (double)(c1.acked - c0.acked) / wall);
    if (g.t_barrier && all_acked()) metric("ingest_per_s", (double)g.cnt.sent / pub_time);
    metric("recv_per_s", recv / wall);
    metric_hist("e2e", &g.h_e2e);
    metric_hist("ack", &g.h_ack);
    metric("sent", (double)g.cnt.sent);
    if (opt.qos) metric("unacked", (double)(g.cnt.sent - g.cnt.acked));
    metric("expected", (double)g.expected);
    metric("received", (double)g.cnt.recv);
    metric("lost", (double)lost);
    metric("duplicated", (double)g.dup);
    metric("reordered", (double)g.reordered);
    metric("stale", (double)g.stale);
    metric("resent_qos2", (double)g.resent);
    metric("protocol_errors", (double)g.errors);
    metric("failed", g.failed);
    metric("dropped", g.dropped);
    metric("drain_s", drain_time);
    if (opt.offline && drain_time > 0) metric("drain_per_s", (double)g.cnt.recv / drain_time);
    /* CPU per message: per delivery where anything is delivered, else per publish */
    metric_cpu(&m0, &m1, &m_first, &m_last, (double)(g.cnt.recv ? g.cnt.recv : g.cnt.sent));

    disconnect_clients(0, g.nclients);
    if (opt.purge && !opt.clean)
        for (int i = 0; i < g.nclients; i++) purge_session(&g.clients[i]);
    print_metrics();
    if (g.failed) return EXIT_CONNECT;
    if (g.dropped) return EXIT_DROPPED;
    return opt.strict && (lost || g.dup || g.reordered || g.errors) ? EXIT_LOSS : 0;
}

/* ------------------------------------------------------------------ command line */

static const char help[] =
    "usage: mqttload conn   -t HOST:PORT -n N [options]\n"
    "       mqttload pubsub -t HOST:PORT -p P -s S [options]\n"
    "\n"
    "common\n"
    "  -t, --target LIST      host:port[,host:port...]; clients take them in turn\n"
    "      --pub-target LIST  targets of the publishers only\n"
    "      --sub-target LIST  targets of the subscribers only\n"
    "  -V, --version V        4 (MQTT 3.1.1, default) or 5\n"
    "      --id PREFIX        client id prefix (default: ml and the process id)\n"
    "      --user U, --pass P credentials\n"
    "      --persistent       clean session 0 (MQTT 5: clean start 0, expiry 1 h)\n"
    "  -k, --keepalive S      seconds (60; 0 for none); idle clients ping at half of it\n"
    "      --conn-window N    connections being set up at the same time (100)\n"
    "      --src N            spread over N source addresses 127.0.0.1 ... (1 per 25,000 clients)\n"
    "      --timeout S        give up connecting when nothing moves for so long (10)\n"
    "      --pid PID[,PID..]  broker processes: report CPU and memory\n"
    "  -j, --json             one JSON object on standard output\n"
    "  -v, --verbose          a line a second on standard error\n"
    "\n"
    "conn: open connections and hold them\n"
    "  -n, --connections N    how many (1)\n"
    "  -r, --rate R           connects per second (0: as fast as possible)\n"
    "      --filter F         subscribe each one; %i is its index\n"
    "      --hold S           keep them open (0); memory is read at the end of it\n"
    "\n"
    "pubsub: publish and receive\n"
    "  -p, --pubs P           publishers (1)\n"
    "  -s, --subs S           subscribers (1; 0 is allowed)\n"
    "      --topic T          topic; %i is the publisher's index (load/%i)\n"
    "      --filter F         filter; %i is the subscriber's index (same as the topic)\n"
    "  -q, --qos Q            publish QoS, and subscription QoS unless --sub-qos (0)\n"
    "      --sub-qos Q        QoS asked for in the subscriptions\n"
    "  -w, --window N         QoS 1 and 2: unacknowledged messages per publisher (20)\n"
    "  -l, --size BYTES       payload size, 24 or more (64)\n"
    "  -r, --rate R           messages per second in all, open loop (0: as fast as possible)\n"
    "      --max-lag N        closed loop: pause while more than N deliveries are outstanding\n"
    "      --retain           set the retain flag\n"
    "      --user-properties N  MQTT 5: user properties of each message (0)\n"
    "  -d, --duration S       measured time (8), after --warmup S (1)\n"
    "      --drain S          wait at most so long for the rest (10)\n"
    "      --offline          with --persistent: subscribers are away while messages are\n"
    "                         published, then return; drain_per_s is the speed of catching up\n"
    "      --purge            with --persistent: end the sessions afterwards\n"
    "      --sndbuf BYTES     publishers' socket send buffer (65536; 0: system default)\n"
    "      --strict           exit 4 on any lost, duplicated or reordered message\n"
    "\n"
    "Results: rates, latency (us) and CPU are of the measured window; sent, expected, lost,\n"
    "duplicated, reordered are of the whole run.  connack_* is the time from connect() to CONNACK,\n"
    "ack_* from PUBLISH to PUBACK or PUBCOMP, e2e_* from PUBLISH to delivery.  ingest_per_s is what\n"
    "the broker provably read (all messages up to the answer to a final ping; absent if that did\n"
    "not come within --drain).  lost is what had not arrived by then, too.  cpu_us_per_msg is the\n"
    "broker's CPU time of the whole run per delivery, or per publish where nothing is delivered.\n"
    "Exit status: 0 fine, 1 usage, 2 could not connect, 3 connections dropped, 4 see --strict.\n";

static void parse_targets(struct targets *out, const char *list)
{
    char *copy = strdup(list), *save = NULL;
    out->n = 0;
    for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *res;
        char *colon = strrchr(s, ':');
        if (!colon || out->n == MAX_TARGETS) die(EXIT_USAGE, "bad target list: %s", list);
        *colon = 0;
        int err = getaddrinfo(s, colon + 1, &hints, &res);
        if (err) die(EXIT_CONNECT, "%s: %s", s, gai_strerror(err));
        memcpy(&out->t[out->n].addr, res->ai_addr, res->ai_addrlen);
        out->t[out->n++].len = res->ai_addrlen;
        freeaddrinfo(res);
    }
    free(copy);
    if (!out->n) die(EXIT_USAGE, "empty target list");
}

static double number(const char *name, const char *s, double min, double max)
{
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !(v >= min && v <= max))
        die(EXIT_USAGE, "--%s %s: expected a number from %g to %g", name, s, min, max);
    return v;
}

enum { O_PUB_TARGET = 256, O_SUB_TARGET, O_ID, O_USER, O_PASS, O_PERSISTENT, O_CONN_WINDOW, O_SRC, O_TIMEOUT, O_PID,
       O_FILTER, O_HOLD, O_TOPIC, O_SUB_QOS, O_MAX_LAG, O_RETAIN, O_USER_PROPERTIES, O_WARMUP, O_DRAIN, O_OFFLINE, O_PURGE, O_SNDBUF,
       O_STRICT };

static const struct option long_options[] = {
    { "target", 1, 0, 't' }, { "pub-target", 1, 0, O_PUB_TARGET }, { "sub-target", 1, 0, O_SUB_TARGET },
    { "version", 1, 0, 'V' }, { "id", 1, 0, O_ID }, { "user", 1, 0, O_USER }, { "pass", 1, 0, O_PASS },
    { "persistent", 0, 0, O_PERSISTENT }, { "keepalive", 1, 0, 'k' }, { "conn-window", 1, 0, O_CONN_WINDOW },
    { "src", 1, 0, O_SRC }, { "timeout", 1, 0, O_TIMEOUT }, { "pid", 1, 0, O_PID }, { "json", 0, 0, 'j' },
    { "verbose", 0, 0, 'v' }, { "connections", 1, 0, 'n' }, { "rate", 1, 0, 'r' }, { "filter", 1, 0, O_FILTER },
    { "hold", 1, 0, O_HOLD }, { "pubs", 1, 0, 'p' }, { "subs", 1, 0, 's' }, { "topic", 1, 0, O_TOPIC },
    { "qos", 1, 0, 'q' }, { "sub-qos", 1, 0, O_SUB_QOS }, { "window", 1, 0, 'w' }, { "size", 1, 0, 'l' },
    { "max-lag", 1, 0, O_MAX_LAG }, { "retain", 0, 0, O_RETAIN },
    { "user-properties", 1, 0, O_USER_PROPERTIES }, { "duration", 1, 0, 'd' },
    { "warmup", 1, 0, O_WARMUP }, { "drain", 1, 0, O_DRAIN }, { "offline", 0, 0, O_OFFLINE },
    { "purge", 0, 0, O_PURGE }, { "sndbuf", 1, 0, O_SNDBUF }, { "strict", 0, 0, O_STRICT }, { "help", 0, 0, 'h' },
    { 0 },
};

static void parse_options(int argc, char **argv)
{
    int o, at = -1;
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) { fputs(help, stdout); exit(0); }
    if (argc < 2 || (strcmp(argv[1], "conn") && strcmp(argv[1], "pubsub"))) { fputs(help, stderr); exit(EXIT_USAGE); }
    opt.conn_mode = !strcmp(argv[1], "conn");
    argv++, argc--;
    while ((o = getopt_long(argc, argv, "t:V:k:jvn:r:p:s:q:w:l:d:h", long_options, &at)) != -1) {
        const char *name = at >= 0 ? long_options[at].name : (char[2]){ (char)o, 0 };
        #define NUM(min, max) number(name, optarg, min, max)
        switch (o) {
        case 't': parse_targets(&opt.pub_to, optarg); opt.sub_to = opt.pub_to; break;
        case O_PUB_TARGET: parse_targets(&opt.pub_to, optarg); break;
        case O_SUB_TARGET: parse_targets(&opt.sub_to, optarg); break;
        case 'V': opt.version = (int)NUM(3, 5); if (opt.version == 3) opt.version = 4; break;
        case O_ID: opt.id = optarg; break;
        case O_USER: opt.user = optarg; break;
        case O_PASS: opt.pass = optarg; break;
        case O_PERSISTENT: opt.clean = false; break;
        case 'k': opt.keepalive = (int)NUM(0, 65535); break;
        case O_CONN_WINDOW: opt.conn_window = (int)NUM(1, 1e6); break;
        case O_SRC: opt.nsrc = (int)NUM(1, 250); break;
        case O_TIMEOUT: opt.timeout = NUM(0.1, 3600); break;
        case O_PID:
            for (char *s = strtok(optarg, ","); s && opt.npids < MAX_PIDS; s = strtok(NULL, ","))
                opt.pids[opt.npids++] = (int)number(name, s, 1, 1e9);
            break;
        case 'j': opt.json = true; break;
        case 'v': opt.verbose = true; break;
        case 'n': opt.nsub = (int)NUM(1, 1e6); break;
        case 'r': opt.rate = NUM(0, 1e8); break;
        case O_FILTER: opt.filter = optarg; break;
        case O_HOLD: opt.hold = NUM(0, 86400); break;
        case 'p': opt.npub = (int)NUM(0, 1e6); break;
        case 's': opt.nsub = (int)NUM(0, 1e6); break;
        case O_TOPIC: opt.topic = optarg; break;
        case 'q': opt.qos = (int)NUM(0, 2); break;
        case O_SUB_QOS: opt.sub_qos = (int)NUM(0, 2); break;
        case 'w': opt.window = (int)NUM(1, 65535); break;
        case 'l': opt.size = (int)NUM(PAYLOAD_HEADER, 1e8); break;
        case O_MAX_LAG: opt.max_lag = (uint64_t)NUM(1, 1e12); break;
        case O_RETAIN: opt.retain = true; break;
        case O_USER_PROPERTIES: opt.user_properties = (int)NUM(0, 1000); break;
        case 'd': opt.duration = NUM(0.1, 86400); break;
        case O_WARMUP: opt.warmup = NUM(0, 3600); break;
        case O_DRAIN: opt.drain = NUM(0, 3600); break;
        case O_OFFLINE: opt.offline = true; break;
        case O_PURGE: opt.purge = true; break;
        case O_SNDBUF: opt.sndbuf = (int)NUM(0, 1e9); break;
        case O_STRICT: opt.strict = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: exit(EXIT_USAGE);
        }
        at = -1;
    }
    if (optind < argc) die(EXIT_USAGE, "unexpected argument: %s", argv[optind]);
    if (opt.conn_mode) opt.npub = 0;
    if ((opt.npub && !opt.pub_to.n) || (opt.nsub && !opt.sub_to.n)) die(EXIT_USAGE, "no target; see --help");
    if (opt.sub_qos < 0) opt.sub_qos = opt.qos;
    if (!opt.conn_mode && !opt.filter) opt.filter = opt.topic;
    if (opt.offline && opt.clean) die(EXIT_USAGE, "--offline needs --persistent");
    if (!opt.nsrc) opt.nsrc = 1 + (opt.npub + opt.nsub) / 25000;
}

static void on_signal(int sig) { (void)sig; g.stop = 1; }

int main(int argc, char **argv)
{
    static char id[32];
    struct rlimit lim;
    parse_options(argc, argv);
    if (!opt.id) { snprintf(id, sizeof id, "ml%d", (int)getpid()); opt.id = id; }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    prctl(PR_SET_TIMERSLACK, 1);
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    g.nclients = opt.nsub + opt.npub;
    if ((rlim_t)g.nclients + 16 > lim.rlim_max)
        die(EXIT_USAGE, "%d clients need more open files than the limit of %lu", g.nclients, (unsigned long)lim.rlim_max);

    g.ep = epoll_create1(EPOLL_CLOEXEC);
    g.run_id = (uint32_t)(now_ns() ^ (uint64_t)getpid() << 16);
    g.next_second = now_ns() + SEC;
    g.clients = alloc((size_t)g.nclients, sizeof *g.clients);
    g.dirty = alloc((size_t)opt.npub, sizeof *g.dirty);
    for (int i = 0; i < g.nclients; i++) {
        struct client *c = &g.clients[i];
        c->kind = i < opt.nsub ? SUB : PUB;
        c->idx = i < opt.nsub ? i : i - opt.nsub;
        if (c->kind == PUB) pub_init(c);
    }
    if (opt.conn_mode) return run_conn();
    build_sinks();
    return run_pubsub();
}
