/** Payloads of 64 bytes, 20 unacknowledged messages per publisher: mqttload's defaults, named here because they count. */
const LOAD = ['--size', '64', '--window', '20'];

const pubsub = (...args) => ['pubsub', ...LOAD, ...args];

/** One topic for all, so that a message goes to every subscriber. */
const FAN_OUT = ['--topic', 'load/all', '--filter', 'load/all'];

/** CPU per message, and the share of mosquitto's that Skein may spend (`bar`) and would like to spend (`stretch`). */
const MESSAGES = [
  {
    name: 'S1c',
    title: 'QoS 0 fan-in, 100 publishers to 1 subscriber, closed loop',
    args: pubsub('-p', '100', '-s', '1', '--filter', '#', '-q', '0', '--max-lag', '5000'),
    bar: 0.4,
    stretch: 0.29,
  },
  {
    name: 'S1i',
    title: 'QoS 0 ingest, 100 publishers, no subscriber',
    args: pubsub('-p', '100', '-s', '0', '-q', '0'),
    bar: 0.5,
    stretch: 0.28,
  },
  {
    name: 'S2',
    title: 'QoS 1 ingest, 100 publishers, no subscriber',
    args: pubsub('-p', '100', '-s', '0', '-q', '1'),
    bar: 0.3,
    stretch: 0.19,
  },
  {
    name: 'S3',
    title: 'QoS 1 pairs, 50 publishers to 50 subscribers',
    args: pubsub('-p', '50', '-s', '50', '-q', '1'),
    bar: 0.3,
    stretch: 0.2,
  },
  {
    name: 'S4c',
    title: 'QoS 0 fan-out, 1 publisher to 500 subscribers, closed loop',
    args: pubsub('-p', '1', '-s', '500', ...FAN_OUT, '-q', '0', '--max-lag', '20000'),
    bar: 0.25,
    stretch: 0.17,
  },
  {
    name: 'S5',
    title: 'QoS 1 fan-out, 1 publisher to 200 subscribers',
    args: pubsub('-p', '1', '-s', '200', ...FAN_OUT, '-q', '1'),
    bar: 0.3,
    stretch: 0.2,
  },
];

/** Each of them once as MQTT 3.1.1 and once as MQTT 5, both on Skein. */
const VERSIONS = MESSAGES.map(({ name, title, args }) => ({
  name: `${name}-v5`,
  title: `${title}: MQTT 5 with two user properties against 3.1.1`,
  runs: [
    { label: 'v5', server: 'skein', args: [...args, '-V', '5', '--user-properties', '2'] },
    { label: 'v3.1.1', server: 'skein', args },
  ],
  bar: 1.3,
}));

/**
 * What is measured. `unit` names the figure; a scenario of messages runs against Skein and its peers with the same
 * arguments, `runs` says otherwise.
 */
export const SCENARIOS = [
  ...MESSAGES.map((scenario) => ({ ...scenario, unit: 'us/message' })),
  ...VERSIONS.map((scenario) => ({ ...scenario, unit: 'us/message' })),
  {
    name: 'S6',
    title: 'CONNECT to CONNACK, 4,000 clients, 100 at a time',
    args: ['conn', '-n', '4000', '--conn-window', '100'],
    unit: 'us/connection',
    barOwn: 350,
  },
  {
    name: 'memory',
    title: 'resident memory of an idle connection, 10,000 connections held 5 s',
    args: ['conn', '-n', '10000', '--conn-window', '100', '--hold', '5'],
    unit: 'bytes/connection',
    barOwn: 12 * 1024,
    /** Memory that was used once is not given back: each round needs processes that begin anew. */
    isFresh: true,
  },
];

/** The scenarios of a comma-separated list: names, or `v5` for all of MQTT 5. Undefined stands for a name unknown. */
export function scenariosOf(list) {
  return list.split(',').flatMap((wanted) => {
    const found = SCENARIOS.filter(
      ({ name }) => name === wanted || (wanted === 'v5' && name.endsWith('-v5')),
    );
    return found.length > 0 ? found : [undefined];
  });
}
