/* A chat server in C with epoll, the price of the kernel: cc -O2 -o line_server line_server.c && ./line_server tick 9999
 *
 *   tick     gathers all lines that arrived in one wake-up and makes one send per reader: the least a server can do
 *   message  makes one send per message and reader: what most servers do
 *   alone    as tick, but everybody is alone in a room and hears only themselves
 *
 * Else everything goes to everybody, the sender included, as "guest-N: text". What a socket does not take is kept for it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, READ_BYTES = 64 << 10, LINE_BYTES = 8 << 10, NAME_BYTES = 24 };

struct bytes { char *at; size_t length, room; };

struct client {
    int fd, place, waiting;
    size_t name_length, line_length;
    char name[NAME_BYTES], line[LINE_BYTES];
    struct bytes unsent;
};

static int poller, per_message, alone, joined, count, capacity;
static struct client **clients;
static struct bytes tick;

static void add(struct bytes *to, const char *from, size_t length) {
    if (to->length + length > to->room) {
        to->room = (to->length + length) * 2;
        to->at = realloc(to->at, to->room);
        if (to->at == NULL) abort();
    }
    memcpy(to->at + to->length, from, length);
    to->length += length;
}

static void watch(struct client *client, int operation, int waiting) {
    struct epoll_event event = {.events = EPOLLIN | (waiting ? EPOLLOUT : 0), .data.ptr = client};
    client->waiting = waiting;
    epoll_ctl(poller, operation, client->fd, &event);
}

static void send_to(struct client *client, const char *from, size_t length) {
    if (client->unsent.length == 0) {
        ssize_t sent = send(client->fd, from, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) from += sent, length -= sent;
    }
    if (length == 0) return;
    add(&client->unsent, from, length);
    if (!client->waiting) watch(client, EPOLL_CTL_MOD, 1);
}

static void send_rest(struct client *client) {
    struct bytes *rest = &client->unsent;
    ssize_t sent = send(client->fd, rest->at, rest->length, MSG_NOSIGNAL);
    if (sent < 0) sent = errno == EAGAIN ? 0 : (ssize_t)rest->length;
    rest->length -= sent;
    memmove(rest->at, rest->at + sent, rest->length);
    if (rest->length == 0) watch(client, EPOLL_CTL_MOD, 0);
}

static void send_tick(void) {
    for (int i = 0; tick.length > 0 && i < count; i++) send_to(clients[i], tick.at, tick.length);
    tick.length = 0;
}

static void line_ended(struct client *client) {
    add(&tick, client->name, client->name_length);
    add(&tick, client->line, client->line_length);
    add(&tick, "\n", 1);
    client->line_length = 0;
    if (per_message) send_tick();
}

static void leave(struct client *client) {
    clients[client->place] = clients[--count];
    clients[client->place]->place = client->place;
    close(client->fd);
    free(client->unsent.at);
    free(client);
}

static void read_from(struct client *client) {
    static char buffer[READ_BYTES];
    ssize_t length = recv(client->fd, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
        leave(client);
        return;
    }
    for (char *at = buffer, *end = buffer + length; at < end;) {
        char *feed = memchr(at, '\n', end - at);
        size_t part = (feed ? feed : end) - at;
        size_t space = LINE_BYTES - client->line_length;
        memcpy(client->line + client->line_length, at, part < space ? part : space);
        client->line_length += part < space ? part : space;
        if (feed) line_ended(client);
        at += part + (feed != NULL);
    }
    if (alone && tick.length > 0) {
        send_to(client, tick.at, tick.length);
        tick.length = 0;
    }
}

static void join(int fd) {
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) abort();
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (count == capacity) {
        capacity = capacity ? capacity * 2 : 64;
        clients = realloc(clients, capacity * sizeof *clients);
        if (clients == NULL) abort();
    }
    client->fd = fd;
    client->place = count;
    client->name_length = snprintf(client->name, NAME_BYTES, "guest-%d: ", ++joined);
    clients[count++] = client;
    watch(client, EPOLL_CTL_ADD, 0);
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)) {
        perror("line_server");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    static struct epoll_event events[EVENTS];
    if (argc != 3) {
        fprintf(stderr, "usage: line_server tick|message|alone PORT\n");
        return 2;
    }
    per_message = strcmp(argv[1], "message") == 0;
    alone = strcmp(argv[1], "alone") == 0;
    poller = epoll_create1(0);
    int listener = listen_on(atoi(argv[2]));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (client == NULL) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd >= 0) join(fd);
                continue;
            }
            if (events[i].events & EPOLLOUT) send_rest(client);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(client);
        }
        send_tick();
    }
}
