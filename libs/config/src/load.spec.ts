import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, hasSpool, loadConfig, spoolDir, type ConfigSource } from './index.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-config-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

const load = (source: ConfigSource = {}) => loadConfig({ env: {}, ...source });

const faultsOf = (source: ConfigSource): readonly string[] => {
  try {
    load(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  throw new Error('the configuration was accepted');
};

describe('without a source', () => {
  it('fills in defaults and freezes the result to the last leaf', () => {
    const config = load();

    expect(config.listeners.tcp).toEqual({
      rules: {
        payloadFormatCheck: false,
        qosMax: 2,
        retain: true,
        sessionExpirySecondsMax: 4_294_967_295,
        sharedSubscriptions: true,
        shortClientIds: false,
        wildcardSubscriptions: true,
      },
      connectBurst: 5_000,
      connectBurstPerAddress: 1_000,
      connectsPerSecond: 1_000,
      connectsPerSecondPerAddress: 100,
      enabled: true,
      host: '127.0.0.1',
      port: 1883,
      proxyFrom: [],
      proxyProtocol: 'off',
      transport: 'tcp',
    });
    expect(config.redis.url).toBeUndefined();
    expect(config.node.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Object.isFrozen(config.listeners.tcp)).toBe(true);
    expect(Object.isFrozen(config.bridges)).toBe(true);
  });

  it('names the node after the host, in letters that a node id may have', () => {
    expect(load().node.id).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  });
});

describe('the order of sources', () => {
  it('lets the environment beat the file and a flag beat both', () => {
    const file = write(
      'order.yaml',
      'log: { level: warn }\ndata: { dir: one }\nops: { port: 1 }\n',
    );
    const config = load({
      env: { SKEIN_LOG_LEVEL: 'debug', SKEIN_DATA_DIR: 'two' },
      argv: ['--data', 'three', `--config=${file}`],
    });

    expect(config.log.level).toBe('debug');
    expect(config.data.dir).toBe('three');
    expect(config.ops.port).toBe(1);
  });

  it('finds the file through SKEIN_CONFIG', () => {
    const file = write('named.yaml', 'node: { id: n7 }\n');

    expect(load({ env: { SKEIN_CONFIG: file } }).node.id).toBe('n7');
  });

  it('takes an empty file and an empty variable for absent', () => {
    const file = write('empty.yaml', '# nothing\n');

    expect(load({ file, env: { SKEIN_OPS_PORT: '' } }).ops.port).toBe(9464);
  });

  it('reads lists and rules from variables', () => {
    const { bridges, bridgeRules } = load({
      env: {
        SKEIN_BRIDGES: '[{"id":"main","kind":"kafka","brokers":["one:9092","two:9092"]}]',
        SKEIN_BRIDGE_RULES:
          '[{ id: t, bridge: main, direction: mqtt-to-kafka, filter: devices/+/telemetry, where: payload.t > 30, value: payload.t, topic: telemetry }]',
        SKEIN_BRIDGE_SPOOL_DIR: 'spool',
      },
    });

    expect(bridges).toEqual([
      {
        id: 'main',
        kind: 'kafka',
        enabled: true,
        brokers: ['one:9092', 'two:9092'],
        clientId: 'skein',
        compression: 'lz4',
      },
    ]);
    expect(bridgeRules).toEqual([
      {
        id: 't',
        bridge: 'main',
        direction: 'mqtt-to-kafka',
        enabled: true,
        filter: 'devices/+/telemetry',
        where: 'payload.t > 30',
        value: 'payload.t',
        topic: 'telemetry',
        key: '${clientId}',
        partition: 'key',
        headers: {},
        ack: 'spool',
      },
    ]);
  });
});

describe('faults', () => {
  it('are told all at once, by the name their author wrote, with the range and the default', () => {
    const file = write('range.yaml', 'listeners: { tcp: { port: -1 } }\nlog: { level: loud }\n');

    expect(faultsOf({ file, env: { SKEIN_API_PORT: 'sesame' } })).toEqual([
      'listeners.tcp.port: must be a whole number from 0 to 65535; correct it, or remove it for the default 1883',
      'SKEIN_API_PORT: must be a whole number from 0 to 65535; correct it, or remove it for the default 8080',
      'log.level: must be one of debug, info, warn, error; correct it, or remove it for the default "info"',
    ]);
  });

  it('name the nearest known key of the file', () => {
    const file = write('unknown.yaml', 'listeners: { tpc: {} }\nlimits: { queueMessages: 5 }\n');

    expect(faultsOf({ file })).toEqual([
      'listeners.tpc.transport: must be `tcp` or `ws`; or correct the name: tcp, ws, tls and wss alone need none',
      'limits.queueMessages: is not a known key; the nearest is limits.queueMessagesMax, see docs/configuration.md',
    ]);
  });

  it('name the nearest known variable and flag', () => {
    expect(faultsOf({ env: { SKEIN_LIMIT_QUEUE_MESSAGES_MAX: '5' } })).toEqual([
      'SKEIN_LIMIT_QUEUE_MESSAGES_MAX: is not a known variable; the nearest is SKEIN_LIMITS_QUEUE_MESSAGES_MAX, see docs/configuration.md',
    ]);
    expect(faultsOf({ argv: ['--dta', 'x'] })).toEqual([
      '--dta: is not a known flag; the nearest is --data, see --help; settings are keys of the file and SKEIN_* variables, see docs/configuration.md',
    ]);
  });

  it('tell a section that is no map', () => {
    const file = write('flat.yaml', 'limits: 5\nnode:\n');

    expect(faultsOf({ file })).toEqual([
      'limits: must be a map of settings; indent its keys under it',
    ]);
  });

  it('tell where a file is not YAML, without its text', () => {
    const file = write('broken.yaml', 'api:\n  key: "hunter2hunter2hunter2\n');

    const [fault = ''] = faultsOf({ file });

    expect(fault).toMatch(/is not valid YAML at line \d+, column \d+/);
    expect(fault).not.toContain('hunter2');
    expect(faultsOf({ file: join(directory, 'absent.yaml') })[0]).toMatch(/cannot be read/);
    expect(faultsOf({ file: write('list.yaml', '- 1\n') })[0]).toMatch(/a map of sections/);
  });

  it('never repeat the value of a secret', () => {
    const message = faultsOf({
      env: { SKEIN_API_KEY: 'hunter2', SKEIN_REDIS_URL: 'http://:hunter2@host' },
    }).join('\n');

    expect(message).toMatch(/SKEIN_API_KEY: must be 16 to 512/);
    expect(message).toMatch(/SKEIN_REDIS_URL: must be redis:/);
    expect(message).not.toContain('hunter2');
  });

  it('reach into users, without their secrets', () => {
    const file = write(
      'users.yaml',
      [
        'auth:',
        '  iterations: 4095',
        '  users:',
        '    - { name: ann, password: hunter2, passwordFile: f }',
        '    - { name: bob, passwort: hunter2 }',
        '    - { name: 5, password: hunter2 }',
        '    - { name: cat, scram: [hunter2] }',
        '    - hunter2',
      ].join('\n'),
    );
    const faults = faultsOf({ file });

    expect(faults).toEqual([
      'auth.users[0]: must have one of password, passwordFile and scram; see auth.users in docs/configuration.md',
      'auth.users[1].passwort: is not a known key; the nearest is auth.users[1].password, see docs/configuration.md',
      'auth.users[1]: must have one of password, passwordFile and scram; see auth.users in docs/configuration.md',
      'auth.users[2].name: must be a text of 1 to 256 characters; see auth.users in docs/configuration.md',
      'auth.users[3].scram[0]: must be what `npm run scram` prints; see auth.users in docs/configuration.md',
      'auth.users[4]: must be a map with name and password, passwordFile or scram; see auth.users in docs/configuration.md',
      'auth.iterations: must be a whole number from 4096 to 1000000; correct it, or remove it for the default 15000',
    ]);
    expect(faultsOf({ env: { SKEIN_AUTH_USERS: 'ann:hunter2' } }).join()).not.toContain('hunter2');
  });

  it('reach into webhooks', () => {
    const file = write(
      'webhooks.yaml',
      [
        'bridges:',
        '  - { id: a, kind: webhook, url: { env: HOOK_URL }, headers: { authorization: { file: /run/token } } }',
        '  - { id: b, kind: webhook, url: "ftp://h/" }',
        '  - { id: c, kind: webhook, url: "https://ann:hunter2@h/" }',
        '  - { id: d, kind: webhook, url: { env: SKEIN_URL } }',
        '  - { id: e, kind: webhook, url: "https://h/", headers: { "a b": x } }',
        '  - { id: f, kind: rabbitmq, url: "amqp://ann:hunter2@h/" }',
        '  - { id: g, kind: rabbitmq, url: { env: AMQP_URL } }',
        'bridgeRules:',
        '  - { id: a, bridge: a, direction: mqtt-to-webhook, filter: a/+, ack: kafka }',
        '  - { id: b, bridge: a, direction: mqtt-to-webhook, filter: a/+, topic: t }',
        '  - { id: c, bridge: a, direction: mqtt-to-webhook, filter: a/+, allowLoop: 1 }',
      ].join('\n'),
    );

    const place =
      'must be an http: or https: URL without a user name, or { file: PATH } or { env: NAME }; see bridges in docs/configuration.md';
    expect(faultsOf({ file })).toEqual([
      `bridges[1].url: ${place}`,
      `bridges[2].url: ${place}`,
      'bridges[3].url.env: must be { file: PATH } or { env: NAME }; see bridges in docs/configuration.md',
      expect.stringContaining('bridges[4].headers'),
      expect.stringContaining('bridges[5].url: must be an amqp: or amqps: URL without a user name'),
      'bridgeRules[0].ack: must be none, spool or webhook; see bridgeRules in docs/configuration.md',
      expect.stringContaining('bridgeRules[1].topic: is not a known key'),
      expect.stringContaining('bridgeRules[2].allowLoop: must be true or false'),
    ]);
  });

  it('reach into TLS and SASL of Kafka', () => {
    const kafka = '{ id: k, kind: kafka, brokers: [k:9092]';
    const file = write(
      'secured.yaml',
      [
        'bridges:',
        `  - ${kafka}, tls: {}, sasl: { mechanism: plain, username: u, password: { env: P } } }`,
        `  - ${kafka}, sasl: { mechanism: plain, username: u, password: hunter2 } }`,
        `  - ${kafka}, sasl: { mechanism: gssapi } }`,
        `  - ${kafka}, sasl: { mechanism: oauthbearer } }`,
        `  - ${kafka}, sasl: { mechanism: scram-sha-256, usernam: u, password: { env: P } } }`,
        `  - ${kafka}, tls: true }`,
        `  - ${kafka}, tls: { rejectUnauthorized: false } }`,
      ].join('\n'),
    );

    const faults = faultsOf({ file });
    expect(faults).toEqual([
      'bridges[1].sasl.password: must be { file: PATH } or { env: NAME }; see bridges in docs/configuration.md',
      'bridges[2].sasl.mechanism: must have the mechanism plain, scram-sha-256, scram-sha-512 or oauthbearer; see bridges in docs/configuration.md',
      'bridges[3].sasl.token: must be { file: PATH } or { env: NAME }; see bridges in docs/configuration.md',
      'bridges[4].sasl.username: must be a text; see bridges in docs/configuration.md',
      'bridges[4].sasl.usernam: is not a known key; the nearest is bridges[4].sasl.username, see docs/configuration.md',
      'bridges[5].tls: must be a map: `tls: {}` is TLS with the usual authorities; see bridges in docs/configuration.md',
      expect.stringContaining('bridges[6].tls.rejectUnauthorized: is not a known key'),
    ]);
    expect(faults.join()).not.toContain('hunter2');
  });

  it('reach into bridges and their rules', () => {
    const file = write(
      'rules.yaml',
      [
        'bridges:',
        '  - { id: main, kind: kafka, brokers: [localhost:9092], compresion: lz4 }',
        '  - { id: other, kind: pigeon }',
        '  - { id: none, kind: kafka }',
        '  - { id: bad, kind: kafka, brokers: [localhost] }',
        'bridgeRules:',
        '  - { id: a, bridge: main, direction: mqtt-to-kafka, filter: a/+, topc: t, topic: t }',
        '  - { id: b, bridge: main, direction: kafka-to-mqtt, topic: t, mqttTopic: m, qos: 3 }',
        '  - { id: c, direction: kafka-to-mqtt, topic: t, mqttTopic: m }',
        '  - { id: d, bridge: main, direction: mqtt-to-kafka, filter: a, topic: t, where: "" }',
        '  - { id: e, bridge: main, direction: kafka-to-mqtt, topic: t, mqttTopic: m, value: 1 }',
      ].join('\n'),
    );

    expect(faultsOf({ file })).toEqual([
      'bridges[0].compresion: is not a known key; the nearest is bridges[0].compression, see docs/configuration.md',
      'bridges[1].kind: must have the kind kafka, webhook or rabbitmq; see bridges in docs/configuration.md',
      'bridges[2].brokers: must be a list of 1 to 64 host:port; see bridges in docs/configuration.md',
      'bridges[3].brokers[0]: must be host:port; see bridges in docs/configuration.md',
      'bridgeRules[0].topc: is not a known key; the nearest is bridgeRules[0].topic, see docs/configuration.md',
      'bridgeRules[1].qos: must be 0, 1, 2 or a template; see bridgeRules in docs/configuration.md',
      'bridgeRules[2].bridge: must be the id of a bridge; see bridgeRules in docs/configuration.md',
      'bridgeRules[3].where: must be an expression of 1 to 8,192 characters; see bridgeRules in docs/configuration.md',
      'bridgeRules[4].value: must be an expression of 1 to 8,192 characters; see bridgeRules in docs/configuration.md',
    ]);
  });
});

describe('topic rules', () => {
  it('have defaults, and may be given as a variable', () => {
    const env = {
      SKEIN_TOPICS_REWRITE: '[{ filter: old/+/#, destination: "new/$2/${clientId}" }]',
      SKEIN_TOPICS_AUTO_SUBSCRIBE: '[{ filter: "inbox/${username}" }]',
    };
    expect(load({ env }).topics).toEqual({
      rewrite: [{ action: 'all', filter: 'old/+/#', destination: 'new/$2/${clientId}' }],
      autoSubscribe: [
        {
          filter: 'inbox/${username}',
          qos: 1,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
        },
      ],
      sysIntervalSeconds: 60,
    });
  });

  it('are refused with where and why', () => {
    const file = write(
      'topics.yaml',
      [
        'topics:',
        '  rewrite:',
        '    - { filter: a/#/b, destination: c }',
        '    - { filter: a/+, destination: c/$2 }',
        '    - { filter: a/+, destination: "c/${password}" }',
        '    - { filter: a/+, dest: c, destination: c }',
        '  autoSubscribe:',
        '    - { filter: "a/${clientId" }',
        '    - { filter: a+, qos: 3 }',
        '    - { filter: $exclusive/a }',
        '    - { filter: $share/g/a, noLocal: true }',
      ].join('\n'),
    );

    expect(faultsOf({ file }).map((fault) => fault.split(';')[0])).toEqual([
      'topics.rewrite[0].filter: must be an MQTT topic filter of 1 to 1,024 characters',
      'topics.rewrite[1].destination: holds $2, but the filter has no such wildcard',
      'topics.rewrite[2].destination: holds a placeholder other than ${clientId}, ${username} and ${host}',
      'topics.rewrite[3].dest: is not a known key',
      'topics.autoSubscribe[0].filter: holds a placeholder other than ${clientId}, ${username} and ${host}',
      'topics.autoSubscribe[1].filter: must be a template of a topic filter of 1 to 1,024 characters',
      'topics.autoSubscribe[1].qos: must be 0, 1 or 2',
      'topics.autoSubscribe[2].filter: must not be exclusive: every client would ask for it',
      'topics.autoSubscribe[3].noLocal: must be false for a shared subscription',
    ]);
  });

  it.each(['tenants/${username}/', '${clientId}/', '/', 'a b//c/'])(
    'take the mountpoint %s',
    (mountpoint) => {
      const env = { SKEIN_LISTENERS_WS_RULES_MOUNTPOINT: mountpoint };
      expect(load({ env }).listeners.ws.rules.mountpoint).toBe(mountpoint);
      expect(load().listeners.ws.rules.mountpoint).toBeUndefined();
    },
  );

  it.each(['tenant', 'a/+/', '#/', '$SYS/', '${password}/', '${clientId/'])(
    'refuse the mountpoint %s',
    (mountpoint) => {
      const env = { SKEIN_LISTENERS_TCP_RULES_MOUNTPOINT: mountpoint };
      expect(faultsOf({ env })).toEqual([
        expect.stringContaining('must be levels that end with a slash'),
      ]);
    },
  );

  it('are checked without backtracking, which would not come to an end here', () => {
    const filter = `${'a/'.repeat(500)}+`;
    const env = {
      SKEIN_TOPICS_REWRITE: JSON.stringify([{ filter: `${filter}b`, destination: 'c' }]),
    };
    expect(faultsOf({ env })).toHaveLength(1);
  });
});

describe('rules between settings', () => {
  const SCRAM = 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy';
  const ANN = JSON.stringify([{ name: 'ann', password: 'p4ss' }]);
  const BRIDGE = { id: 'main', kind: 'kafka', brokers: ['k:9092'] };
  const RULE = {
    id: 'r',
    bridge: 'main',
    direction: 'kafka-to-mqtt',
    topic: 't',
    mqttTopic: 'm',
  };

  it.each([
    ['data.dir', { SKEIN_DATA_DIR: 'd', SKEIN_REDIS_URL: 'redis://localhost' }],
    ['bridges[1].id', { SKEIN_BRIDGES: JSON.stringify([BRIDGE, BRIDGE]) }],
    [
      'bridges[0].tls.keyFile',
      { SKEIN_BRIDGES: JSON.stringify([{ ...BRIDGE, tls: { certFile: 'c' } }]) },
    ],
    ['auth.chain', { SKEIN_AUTH_CHAIN: '[{ kind: users }]' }],
    ['auth.chain', { SKEIN_AUTH_CHAIN: '[]', SKEIN_AUTH_USERS: ANN }],
    [
      'auth.chain',
      { SKEIN_AUTH_CHAIN: '[{ kind: users }, { kind: users }]', SKEIN_AUTH_USERS: ANN },
    ],
    ['auth.saltSecret', { SKEIN_AUTH_USERS: JSON.stringify([{ name: 'n', scram: [SCRAM] }]) }],
    [
      'bridgeRules[1].id',
      {
        SKEIN_BRIDGES: JSON.stringify([BRIDGE]),
        SKEIN_BRIDGE_RULES: JSON.stringify([RULE, RULE]),
      },
    ],
  ])('hold for %s', (field, env) => {
    expect(faultsOf({ env }).map((fault) => fault.split(': ')[0])).toEqual([field]);
  });

  it('name the bridges that a rule may name', () => {
    const SKEIN_BRIDGE_RULES = JSON.stringify([RULE]);
    const SKEIN_BRIDGES = JSON.stringify([{ ...BRIDGE, id: 'other' }]);
    expect(faultsOf({ env: { SKEIN_BRIDGE_RULES } })).toEqual([
      'bridgeRules[0].bridge: is main, and there is no bridge of that id; add it to `bridges` (SKEIN_BRIDGES)',
    ]);
    expect(faultsOf({ env: { SKEIN_BRIDGES, SKEIN_BRIDGE_RULES } })).toEqual([
      'bridgeRules[0].bridge: is main, and there is no bridge of that id; name one of other, or add it to `bridges`',
    ]);
  });

  it('give a rule that acknowledges from the spool a place for it', () => {
    const rule = { ...RULE, direction: 'mqtt-to-kafka', filter: 'a/#', mqttTopic: undefined };
    const env = {
      SKEIN_BRIDGES: JSON.stringify([BRIDGE]),
      SKEIN_BRIDGE_RULES: JSON.stringify([rule]),
    };
    const fault =
      'bridgeRules[0].ack: is spool, and the node has none; set bridge.spool.dir (SKEIN_BRIDGE_SPOOL_DIR), or choose another';
    const none = { SKEIN_BRIDGE_SPOOL_KIND: 'none' };
    expect(faultsOf({ env })).toEqual([fault]);
    expect(faultsOf({ env: { ...env, SKEIN_DATA_DIR: 'd', ...none } })).toEqual([fault]);
    expect(spoolDir(load({ env: { ...env, SKEIN_DATA_DIR: 'd' } }))).toBe('d/spool');
    expect(spoolDir(load({ env: { ...env, SKEIN_BRIDGE_SPOOL_DIR: 's' } }))).toBe('s');
  });

  it('keep the spool in Redis only where there is one', () => {
    const kind = { SKEIN_BRIDGE_SPOOL_KIND: 'redis' };
    expect(faultsOf({ env: kind })).toEqual([
      'bridge.spool.kind: is redis, and the node has none; set redis.url (SKEIN_REDIS_URL), or bridge.spool.kind to local',
    ]);
    const env = { ...kind, SKEIN_REDIS_URL: 'redis://localhost' };
    expect(hasSpool(load({ env }))).toBe(true);
    expect(faultsOf({ env: { ...env, SKEIN_BRIDGE_SPOOL_DIR: 'd' } })).toEqual([
      'bridge.spool.dir: is of no use to a spool in Redis; remove it, or set bridge.spool.kind to local',
    ]);
  });

  it('refuse a socket buffer too small for a socket to tell when it has drained', () => {
    const env = { SKEIN_LIMITS_SOCKET_BUFFER_BYTES_MAX: '65535' };
    expect(faultsOf({ env })).toEqual([expect.stringContaining('a whole number from 65536 to')]);
  });

  it.each(['skein', 'a:b', 'shop-1:mqtt.x_'])('take %s for a key prefix', (prefix) => {
    expect(load({ env: { SKEIN_REDIS_KEY_PREFIX: prefix } }).redis.keyPrefix).toBe(prefix);
  });

  it.each(['{a}', '}', 'a*', 'a b', 'a'.repeat(65)])('refuse %s as a key prefix', (prefix) => {
    const faults = faultsOf({ env: { SKEIN_REDIS_KEY_PREFIX: prefix } });
    expect(faults).toEqual([expect.stringContaining('SKEIN_REDIS_KEY_PREFIX')]);
  });

  it.each(['localhost', '127.0.0.1', '127.8.0.1', '::1'])('take %s for loopback', (host) => {
    expect(load({ env: { SKEIN_API_HOST: host } }).api.host).toBe(host);
  });

  it('let the API listen anywhere with a key', () => {
    const env = { SKEIN_API_HOST: '0.0.0.0', SKEIN_API_KEY: '0123456789abcdef' };

    expect(load({ env }).api.host).toBe('0.0.0.0');
  });
});
