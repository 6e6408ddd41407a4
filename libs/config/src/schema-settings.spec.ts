import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig, type Config } from './index.ts';

const REGISTRY = { url: 'https://registry:8081' };
const BRIDGE = { id: 'main', kind: 'kafka', brokers: ['k:9092'], schemaRegistry: REGISTRY };
const OUT = {
  ...{ id: 'out', bridge: 'main', direction: 'mqtt-to-kafka', filter: '#', topic: 't' },
  ack: 'none',
};
const IN = { id: 'in', bridge: 'main', direction: 'kafka-to-mqtt', topic: 't', mqttTopic: 'm' };

function load(bridge: object, ...rules: readonly object[]): Config {
  const env = {
    SKEIN_BRIDGES: JSON.stringify([bridge]),
    SKEIN_BRIDGE_RULES: JSON.stringify(rules),
  };
  return loadConfig({ argv: [], env });
}

function faultsOf(bridge: object, ...rules: readonly object[]): readonly string[] {
  try {
    load(bridge, ...rules);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n').map((line) => line.trim());
    throw error;
  }
  return [];
}

describe('settings of schemas', () => {
  it('have defaults', () => {
    const { bridges, bridgeRules } = load(BRIDGE, { ...OUT, schema: { format: 'avro' } });
    expect(bridges[0]).toMatchObject({
      schemaRegistry: { ...REGISTRY, timeoutMs: 5_000, refreshMs: 60_000 },
    });
    expect(bridgeRules[0]).toMatchObject({ schema: { format: 'avro', version: 'latest' } });
  });

  it.each([
    [{ schemaRegistry: 'http://r' }, '[0].schemaRegistry must be a map with a url'],
    [{ schemaRegistry: { url: 'r:8081' } }, '[0].schemaRegistry.url must be an http:'],
    [{ schemaRegistry: { url: 'http://u:hunter2@r' } }, 'must be an http: or https: URL without'],
    [{ schemaRegistry: { ...REGISTRY, password: 'hunter2' } }, 'must be { file: PATH } or { env'],
    [{ schemaRegistry: { ...REGISTRY, username: 'u' } }, 'schemaRegistry.password: is required by'],
    [
      { schemaRegistry: { ...REGISTRY, password: { env: 'P' } } },
      'schemaRegistry.username: is required by',
    ],
    [{ schemaRegistry: { ...REGISTRY, refreshMs: 1 } }, 'schemaRegistry.refreshMs Too small'],
    [{ schemaRegistry: { ...REGISTRY, urll: 1 } }, 'schemaRegistry.urll: is not a known key'],
  ])('of a registry are refused with what is wrong: %#', (changes, fault) => {
    const faults = faultsOf({ ...BRIDGE, ...changes }).join('\n');
    expect(faults).toContain(fault);
    expect(faults).not.toContain('hunter2');
  });

  it.each([
    [{ ...OUT, schema: 'avro' }, '[0].schema must be a map with a format'],
    [{ ...OUT, schema: { format: 'thrift' } }, 'schema.format must be avro, protobuf or json'],
    [{ ...OUT, schema: { format: 'avro', version: 0 } }, 'schema.version must be latest, or a'],
    [{ ...OUT, schema: { format: 'avro', messageType: 'M' } }, 'schema.messageType: is for the'],
    [{ ...IN, schema: { format: 'avro', version: 1 } }, 'schema.version: is not a known key'],
  ])('of a rule are refused with what is wrong: %#', (rule, fault) => {
    expect(faultsOf(BRIDGE, rule).join('\n')).toContain(fault);
  });

  it('ask for the registry of the bridge', () => {
    const { schemaRegistry: _, ...plain } = BRIDGE;
    expect(faultsOf(plain, { ...OUT, schema: { format: 'avro' } }).join('\n')).toContain(
      'bridgeRules[0].schema: needs a schema registry, and the bridge main has none; give the bridge `schemaRegistry`, or remove the schema',
    );
  });
});
