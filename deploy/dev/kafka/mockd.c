/*
 * A mock Kafka cluster (that of librdkafka) as a process, with faults on demand: for tests that need a failure at one exact
 * request. mockd.sh compiles and runs it.
 *
 * usage: mockd BROKERS
 *
 * The first line of the output is "BROKERS host:port,..."; brokers are numbered from 1. Each line of the input is a command
 * and is answered by a line "OK", "OK NUMBER" or "ERR why". The process ends with its input.
 *
 *   topic NAME PARTITIONS REPLICAS     creates a topic
 *   leader TOPIC PARTITION BROKER      moves a leader; -1: the partition has none
 *   down BROKER, up BROKER             connections are cut and refused, or taken again; leaders stay where they are
 *   delay BROKER MS                    how late a broker answers everything
 *   fail API CODE...                   what the next requests of an API get, whichever broker has them; -195 cuts the connection
 *   failat BROKER API CODE MS ...      the same for one broker, each with a delay of the answer; code 0: carried out
 *   pending BROKER API                 how many of these are still to come
 *   clear API                          forgets what fail has queued
 *   topicerror TOPIC CODE              what metadata says of a topic; 0: it is well
 *   apiversions API LEAST MOST         versions of an API on offer
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096
#define WORDS 256

typedef rd_kafka_mock_cluster_t cluster_t;
typedef rd_kafka_resp_err_t error_t;

/* A command is given its words and their count, and may leave a number for the answer. */
typedef struct {
  const char *name;
  int words;    /* least, with the name */
  int is_exact; /* no more than these */
  error_t (*run)(cluster_t *cluster, char **words, int count, long *answer);
} command_t;

#define COMMAND(name) static error_t name(cluster_t *cluster, char **w, int count, long *answer)
#define UNUSED (void)count, (void)answer

COMMAND(topic) { UNUSED; return rd_kafka_mock_topic_create(cluster, w[1], atoi(w[2]), atoi(w[3])); }

COMMAND(leader) {
  UNUSED;
  return rd_kafka_mock_partition_set_leader(cluster, w[1], atoi(w[2]), atoi(w[3]));
}

COMMAND(down) { UNUSED; return rd_kafka_mock_broker_set_down(cluster, atoi(w[1])); }

COMMAND(up) { UNUSED; return rd_kafka_mock_broker_set_up(cluster, atoi(w[1])); }

COMMAND(delay) { UNUSED; return rd_kafka_mock_broker_set_rtt(cluster, atoi(w[1]), atoi(w[2])); }

COMMAND(fail) {
  (void)answer;
  error_t errors[WORDS];
  for (int i = 2; i < count; i++) errors[i - 2] = atoi(w[i]);
  rd_kafka_mock_push_request_errors_array(cluster, atoi(w[1]), count - 2, errors);
  return 0;
}

COMMAND(failat) {
  (void)answer;
  for (int i = 3; i + 1 < count; i += 2) {
    error_t error = rd_kafka_mock_broker_push_request_error_rtts(
        cluster, atoi(w[1]), atoi(w[2]), 1, (error_t)atoi(w[i]), atoi(w[i + 1]));
    if (error) return error;
  }
  return 0;
}

COMMAND(pending) {
  (void)count;
  size_t left = 0;
  error_t error = rd_kafka_mock_broker_error_stack_cnt(cluster, atoi(w[1]), atoi(w[2]), &left);
  *answer = (long)left;
  return error;
}

COMMAND(clear) { UNUSED; rd_kafka_mock_clear_request_errors(cluster, atoi(w[1])); return 0; }

COMMAND(topicerror) { UNUSED; rd_kafka_mock_topic_set_error(cluster, w[1], atoi(w[2])); return 0; }

COMMAND(apiversions) {
  UNUSED;
  return rd_kafka_mock_set_apiversion(cluster, atoi(w[1]), atoi(w[2]), atoi(w[3]));
}

static const command_t COMMANDS[] = {
    {"topic", 4, 1, topic},       {"leader", 4, 1, leader},   {"down", 2, 1, down},
    {"up", 2, 1, up},             {"delay", 3, 1, delay},     {"fail", 3, 0, fail},
    {"failat", 5, 0, failat},     {"pending", 3, 1, pending}, {"clear", 2, 1, clear},
    {"topicerror", 3, 1, topicerror}, {"apiversions", 4, 1, apiversions},
};

static void answer_line(cluster_t *cluster, char *line) {
  char *words[WORDS];
  int count = 0;
  for (char *word = strtok(line, " \r\n"); word && count < WORDS; word = strtok(NULL, " \r\n"))
    words[count++] = word;
  for (size_t i = 0; count > 0 && i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
    const command_t *command = &COMMANDS[i];
    if (strcmp(words[0], command->name)) continue;
    if (count < command->words || (command->is_exact && count > command->words)) break;
    long answer = -1;
    error_t error = command->run(cluster, words, count, &answer);
    if (error) printf("ERR %s\n", rd_kafka_err2name(error));
    else if (answer >= 0) printf("OK %ld\n", answer);
    else printf("OK\n");
    return;
  }
  printf("ERR not a command\n");
}

/*
 * Metadata names broker 0 as the controller, which does not exist and which nothing public can change; clients ask the
 * controller for a producer id. The field follows the id and the client of a cluster. Returns 0 where it does not.
 */
static int name_controller(cluster_t *cluster, int broker) {
  const struct {
    char id[32];
    rd_kafka_t *client;
    int32_t controller;
  } *head = (const void *)cluster;
  if (head->client != rd_kafka_mock_cluster_handle(cluster) || head->controller != 0) return 0;
  memcpy((char *)cluster + ((const char *)&head->controller - (const char *)head), &broker, sizeof head->controller);
  return 1;
}

int main(int argc, char **argv) {
  char why[256] = "", line[LINE_BYTES];
  int brokers = argc == 2 ? atoi(argv[1]) : 0;
  if (brokers < 1) {
    fprintf(stderr, "usage: mockd BROKERS\n");
    return 2;
  }
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  /* The client behind the cluster connects to nothing: what it says about that is no news. */
  rd_kafka_conf_set(conf, "log_level", "3", why, sizeof why);
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, brokers) : NULL;
  if (!cluster) {
    fprintf(stderr, "mockd: no cluster: %s\n", why);
    return 1;
  }
  if (!name_controller(cluster, 1)) {
    fprintf(stderr, "mockd: not the librdkafka that it was written for: cannot name a controller\n");
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("BROKERS %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  while (fgets(line, sizeof line, stdin)) answer_line(cluster, line);
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(client);
  return 0;
}
