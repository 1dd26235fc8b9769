/* A LiteRT delegate for tests: the interface of tensorflow/lite/delegates/external, as much of it as is used here.
   What it does is chosen when it is compiled: BEHAVIOUR is one of the numbers below. TRIGGER is the path of a FIFO:
   once something is written to it, a thread of the delegate's stops or crashes the process that it is loaded in. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLAIMS_NOTHING, COMPUTES_ZEROS, HANGS_AT_LOAD, CRASHES_AT_LOAD, HANGS_WHEN_TOLD, CRASHES_WHEN_TOLD, REFUSES, HANGS_IN_A_RUN };

typedef struct { int size; int data[]; } Ints;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct Node Node;

typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*release)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling)(const Context *, const Node *);
    int32_t builtin;
    const char *name;
    int version;
    void *external, *async;
    uint64_t inplace;
} Registration;

struct Context {
    size_t tensors_size;
    int (*plan)(Context *, Ints **);
    void *tensors, *impl, *resize, *report, *add, *node;
    int (*replace)(Context *, Registration, const Ints *, Delegate *);
};

struct Delegate {
    void *data;
    int (*prepare)(Context *, Delegate *);
    void *from, *to, *release;
    int64_t flags;
    void *builder;
};

static int nothing(Context *context, Node *node) { (void)context; (void)node; return 0; }

static int wait_for_ever(Context *context, Node *node) {
    for (;;) pause();
    return nothing(context, node);
}

static void *wait_until_told(void *unused) {
    char byte;
    int told = open(TRIGGER, O_RDONLY);
    if (read(told, &byte, 1) >= 0) {
        if (BEHAVIOUR == HANGS_WHEN_TOLD) raise(SIGSTOP);
        abort();
    }
    return unused;
}

static int prepare(Context *context, Delegate *delegate) {
    Ints *plan;
    Registration all;
    if (BEHAVIOUR == HANGS_AT_LOAD) for (;;) pause();
    if (BEHAVIOUR == CRASHES_AT_LOAD) *(volatile int *)8 = 1;
    if (BEHAVIOUR != COMPUTES_ZEROS && BEHAVIOUR != HANGS_IN_A_RUN) return 0;
    if (context->plan(context, &plan) != 0) return 1;
    memset(&all, 0, sizeof all);
    all.prepare = nothing;
    all.invoke = BEHAVIOUR == COMPUTES_ZEROS ? nothing : wait_for_ever;
    all.name = "test";
    all.version = 1;
    return context->replace(context, all, plan, delegate);
}

static Delegate delegate;

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t options, void (*report)(const char *)) {
    pthread_t thread;
    (void)keys; (void)values; (void)options;
    if (BEHAVIOUR == REFUSES) {
        report("no device");
        return NULL;
    }
    if (BEHAVIOUR == HANGS_WHEN_TOLD || BEHAVIOUR == CRASHES_WHEN_TOLD) pthread_create(&thread, NULL, wait_until_told, NULL);
    delegate.prepare = prepare;
    return &delegate;
}

void tflite_plugin_destroy_delegate(Delegate *unused) { (void)unused; }
