import { expect, it } from '@jest/globals';
import type { FlappingDocument } from '#libs/access';
import type { FlappingSettings } from '#libs/broker-core';
import { LocalDefinitionStore } from '#libs/store-local';
import { FlappingRules } from './flapping-rules.ts';

const CONFIGURED = {
  ...{ connectionsMax: 100, connectionsPerAddressMax: 0 },
  ...{ windowSeconds: 60, banSeconds: 300 },
};

it('keeps a node at work with the settings of the configuration, until others are stored', async () => {
  const store = new LocalDefinitionStore<FlappingDocument>('settings');
  const rules = new FlappingRules(CONFIGURED, store);
  const told: FlappingSettings[] = [];
  rules.drive({ setFlapping: (settings) => void told.push(settings) });
  expect(await rules.current()).toEqual({ settings: CONFIGURED, source: 'config', revision: 0 });
  const strict = { ...CONFIGURED, connectionsMax: 3 };
  const stored = { settings: strict, source: 'api', revision: 1 };
  expect(await rules.replace(strict, 0)).toEqual({ kind: 'stored', stored });
  expect(await rules.replace(CONFIGURED, 0)).toEqual({ kind: 'conflict' });
  expect(await rules.current()).toEqual(stored);
  expect(told).toEqual([CONFIGURED, strict]);
});
