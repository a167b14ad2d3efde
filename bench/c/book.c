/* A price-time book of the simplest kind, as a reference for the matching engine: an array of price levels
 * known beforehand, linked orders, and ids that are a slot and its generation. It knows limit and market
 * orders only. The flow is that of trading/internal/venue/sim/bench_test.go, number for number.
 *
 * Usage: book RESTING COMMANDS REPETITIONS
 * prints the orders open after the warm-up, then nanoseconds a command of each repetition. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BUY, SELL, PRICES = 2048, NONE = -1 };

typedef struct {
    int64_t qty;
    int32_t price, next, prev;
    uint32_t generation;
    uint8_t side, live;
} order;

static struct { int32_t head, tail; } levels[2][PRICES];
static int32_t best[2] = {-1, PRICES};
static order *orders;
static int32_t *unused;
static int64_t used, unused_count, open_orders, capacity;

/* The random numbers of Go's rand.New(rand.NewPCG(1, 1)). */
static unsigned __int128 state = (unsigned __int128)1 << 64 | 1;

static uint64_t random64(void) {
    const unsigned __int128 mul = (unsigned __int128)2549297995355413924u << 64 | 4865540595714422341u;
    const unsigned __int128 inc = (unsigned __int128)6364136223846793005u << 64 | 1442695040888963407u;
    state = state * mul + inc;
    uint64_t hi = state >> 64, lo = state;
    hi ^= hi >> 32;
    hi *= 0xda942042e4dd58b5u;
    hi ^= hi >> 48;
    return hi * (lo | 1);
}

static uint64_t below(uint64_t n) {
    if ((n & (n - 1)) == 0) return random64() & (n - 1);
    unsigned __int128 product = (unsigned __int128)random64() * n;
    if ((uint64_t)product < n)
        for (uint64_t least = -n % n; (uint64_t)product < least;) product = (unsigned __int128)random64() * n;
    return product >> 64;
}

static void *resized(void *p, size_t size) {
    if (!(p = realloc(p, size))) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static int32_t claim(void) {
    if (unused_count) return unused[--unused_count];
    if (used == capacity) {
        capacity = capacity ? 2 * capacity : 1024;
        orders = resized(orders, capacity * sizeof *orders);
        unused = resized(unused, capacity * sizeof *unused);
    }
    orders[used].generation = 0;
    return used++;
}

static uint64_t rest(int side, int64_t qty, int32_t price) {
    int32_t slot = claim();
    int32_t tail = levels[side][price].tail;
    order *o = &orders[slot];
    *o = (order){qty, price, NONE, tail, o->generation + 1, side, 1};
    if (tail == NONE) levels[side][price].head = slot;
    else orders[tail].next = slot;
    levels[side][price].tail = slot;
    if (side == BUY ? price > best[BUY] : price < best[SELL]) best[side] = price;
    open_orders++;
    return (uint64_t)o->generation << 32 | (uint32_t)slot;
}

static void drop(int32_t slot) {
    order *o = &orders[slot];
    if (o->prev == NONE) levels[o->side][o->price].head = o->next;
    else orders[o->prev].next = o->next;
    if (o->next == NONE) levels[o->side][o->price].tail = o->prev;
    else orders[o->next].prev = o->prev;
    o->live = 0;
    unused[unused_count++] = slot;
    open_orders--;
    int32_t *at = &best[o->side], step = o->side == BUY ? -1 : 1;
    while (*at >= 0 && *at < PRICES && levels[o->side][*at].head == NONE) *at += step;
}

static void cancel(uint64_t id) {
    order *o = &orders[(uint32_t)id];
    if (o->live && o->generation == id >> 32) drop((uint32_t)id);
}

static void take(int side, int64_t qty) {
    while (qty > 0 && best[!side] >= 0 && best[!side] < PRICES) {
        int32_t slot = levels[!side][best[!side]].head;
        int64_t n = qty < orders[slot].qty ? qty : orders[slot].qty;
        qty -= n;
        if (!(orders[slot].qty -= n)) drop(slot);
    }
}

static uint64_t *live;
static int64_t live_count, live_capacity, target;

static void flow_rest(void) {
    int side = below(2);
    int32_t distance = 1 + below(1000);
    if (side == BUY) distance = -distance;
    if (live_count == live_capacity) {
        live_capacity = live_capacity ? 2 * live_capacity : 1024;
        live = resized(live, live_capacity * sizeof *live);
    }
    int64_t qty = 1 + below(100);
    live[live_count++] = rest(side, qty, PRICES / 2 + distance);
}

static void command(void) {
    uint64_t r = below(100);
    if (live_count < target || r < 45) flow_rest();
    else if (r < 85 || open_orders < target / 2) {
        int64_t i = below(live_count);
        cancel(live[i]);
        live[i] = live[--live_count];
    } else {
        int side = below(2);
        take(side, 1 + below(100));
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * t.tv_sec + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: book RESTING COMMANDS REPETITIONS\n", stderr);
        return 2;
    }
    target = atoll(argv[1]);
    int64_t commands = atoll(argv[2]);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < PRICES; i++) levels[side][i].head = levels[side][i].tail = NONE;
    while (live_count < target) flow_rest();
    for (int64_t i = 0; i < 2 * target; i++) command();
    printf("%lld\n", (long long)open_orders);
    for (int repetition = atoi(argv[3]); repetition > 0; repetition--) {
        double start = now();
        for (int64_t i = 0; i < commands; i++) command();
        printf("%.2f\n", (now() - start) / commands);
    }
    return 0;
}
