import { expect, it } from '@jest/globals';
import { bridgeFaults } from './bridge-faults.ts';

it('says which kind of bridge a direction needs', () => {
  const bridge = {
    id: 'main',
    // A kind that only a newer version knows.
    kind: 'pigeon' as 'kafka',
    enabled: true,
    brokers: ['k:9092'],
    clientId: 'skein',
    compression: 'none' as const,
  };
  const rule = {
    id: 'r',
    bridge: 'main',
    direction: 'kafka-to-mqtt' as const,
    enabled: true,
    topic: 't',
    mqttTopic: 'm',
    qos: 1 as const,
    retain: false,
    onError: 'skip' as const,
    startWhen: 'always' as const,
  };
  expect(bridgeFaults({ bridges: [bridge], bridgeRules: [rule] })).toEqual([
    {
      field: 'bridgeRules[0].direction',
      problem: 'needs a bridge of kind kafka, and main is of kind pigeon',
      fix: 'name another bridge or correct the direction',
    },
  ]);
});
