import { beforeEach, describe, expect, it } from '@jest/globals';
import { CONFIG_DOCUMENT_ID, type ConfigDocument } from '#libs/broker-ports';
import { loadConfig, settingsInForce } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { RecordingLog, quiet, until } from '#libs/testkit';
import { LiveSettings, type LiveSettingsParts } from './live-settings.ts';

const DEADLINE_MS = 20_000;

const base = loadConfig({ env: { SKEIN_DRAIN_SERVER_REFERENCE: 'other:1883' } });

describe('settings that are set while a node runs', () => {
  let store: LocalDefinitionStore<ConfigDocument>;
  let parts: LiveSettingsParts & { readonly log: RecordingLog };
  let outcomes: string[];
  let live: LiveSettings;

  beforeEach(() => {
    store = new LocalDefinitionStore<ConfigDocument>('settings');
    outcomes = [];
    const meter = { configReloaded: (outcome: string) => void outcomes.push(outcome) };
    parts = { store, meter, log: new RecordingLog() };
    live = new LiveSettings(base);
  });

  async function put(version: number, overrides: ConfigDocument['overrides']): Promise<void> {
    const found = await store.get(CONFIG_DOCUMENT_ID);
    const item = { id: CONFIG_DOCUMENT_ID, version, overrides, by: 'key:k', atMs: 1 } as const;
    expect(await store.put(item, found?.revision)).toMatchObject({ kind: 'stored' });
    await quiet();
  }

  it('are there for whoever keeps a section, before anybody is told', async () => {
    const { limits, rates, drain } = live.config;
    const seen: number[] = [];
    live.onChange(() => seen.push(limits.inflightMax, rates.client.messagesPerSecond));
    await live.drive(parts);
    await put(1, {
      limits: { inflightMax: 9 },
      rates: { client: { messagesPerSecond: 5 } },
      overload: { heapPercent: [1, 2, 3] },
    });
    expect(seen).toEqual([9, 5]);
    expect(live.config.overload.heapPercent).toEqual([1, 2, 3]);
    expect(drain.serverReference).toBe('other:1883');
    expect(live.state).toEqual({ version: 1 });
    await put(2, { drain: { serverReference: 'third:1883' } });
    expect(limits).toEqual(base.limits);
    expect(drain.serverReference).toBe('third:1883');
    expect(outcomes).toEqual(['ok', 'ok']);
    const shown = settingsInForce(live.shown).find(({ path }) => path === 'drain.serverReference');
    expect(shown).toMatchObject({ value: 'third:1883', source: 'api' });
  });

  it('are there at the start, and go with what was stored', async () => {
    await put(3, { limits: { inflightMax: 9 } });
    await live.drive(parts);
    expect(live.config.limits.inflightMax).toBe(9);
    await store.remove(CONFIG_DOCUMENT_ID, undefined);
    await quiet();
    expect(live.config.limits.inflightMax).toBe(base.limits.inflightMax);
    expect(live.state).toEqual({ version: 0 });
  });

  it('come once, whichever way tells first', async () => {
    await live.drive(parts);
    await put(5, { limits: { inflightMax: 9 } });
    expect(await live.refresh(parts)).toEqual({ version: 5 });
    expect(outcomes).toEqual(['ok']);
  });

  it('are those of a store that has lost its latest ones, also when it counts to the same version again', async () => {
    await put(4, { limits: { inflightMax: 4 } });
    await put(5, { limits: { inflightMax: 9 } });
    await live.drive(parts);
    expect(live.config.limits.inflightMax).toBe(9);
    await put(4, { limits: { inflightMax: 4 } });
    expect(live.config.limits.inflightMax).toBe(4);
    await put(5, { limits: { inflightMax: 3 } });
    expect(live.config.limits.inflightMax).toBe(3);
    expect(live.state).toEqual({ version: 5 });
  });

  it('are never those of an answer that comes late', async () => {
    await put(1, { limits: { inflightMax: 4 } });
    const late: (() => void)[] = [];
    let isSlow = true;
    const slow = {
      ...storeOf(),
      get: async (id: string) => {
        const found = await store.get(id);
        if (isSlow) await new Promise<void>((resolve) => late.push(resolve));
        return found;
      },
    };
    const first = live.refresh({ ...parts, store: slow });
    await until(() => late.length === 1, DEADLINE_MS);
    await put(2, { limits: { inflightMax: 9 } });
    isSlow = false;
    const second = live.refresh({ ...parts, store: slow });
    late[0]?.();
    await Promise.all([first, second]);
    expect(live.config.limits.inflightMax).toBe(9);
    expect(live.state).toEqual({ version: 2 });
  });

  it('are refused as a whole when a key does not fit, and those before stay', async () => {
    await live.drive(parts);
    await put(1, { limits: { inflightMax: 9 } });
    await put(2, { limits: { inflightMax: 10, nothing: 1 }, redis: { leaseMs: 5_000 } });
    expect(live.config.limits.inflightMax).toBe(9);
    expect(await live.refresh(parts)).toMatchObject({
      version: 1,
      refusal: expect.stringContaining('limits.nothing'),
    });
    expect(outcomes).toEqual(['ok', 'failed']);
    expect(parts.log.of('config-refused')).toHaveLength(1);
    await put(3, {});
    expect(live.state).toEqual({ version: 3 });
  });

  it('have listeners above those of the configuration, and keep the rules of one that has gone', () => {
    const plant = { transport: 'tcp', port: 1_999, rules: { mountpoint: 'p/' } };
    const set = (name: string, settings: object) =>
      live.setListeners(new Map([[name, settings as Readonly<Record<string, unknown>>]]));
    expect(set('plant', plant)).toEqual(new Map());
    expect(live.shown.listeners['plant']).toMatchObject({ port: 1_999, enabled: true });
    const refused = set('plant', { ...plant, port: 'x' });
    expect(refused.get('plant')).toContain('listeners.plant.port');
    expect(live.shown.listeners['plant']).toMatchObject({ port: 1_999 });
    live.setListeners(new Map());
    expect(live.shown.listeners['plant']).toBeUndefined();
    expect(live.config.listeners['plant']).toMatchObject({
      enabled: false,
      rules: { mountpoint: 'p/' },
    });
    expect(live.config.listeners.tcp).toEqual(base.listeners.tcp);
  });

  it('wait for a store that is away', async () => {
    const away = {
      ...parts,
      store: { ...storeOf(), get: () => Promise.reject(new Error('away')) },
    };
    await live.drive(away);
    expect(live.state).toEqual({ version: 0 });
    await put(1, { limits: { inflightMax: 9 } });
    expect(live.config.limits.inflightMax).toBe(9);
  });

  const storeOf = () => ({
    put: store.put.bind(store),
    watch: store.watch.bind(store),
  });
});
