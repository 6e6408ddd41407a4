import { any, idsOf, type ContractWorld } from './world.ts';

const BRIDGE = { id: 'shop', kind: 'kafka', brokers: ['127.0.0.1:1'] };
const RULE = {
  ...{ id: 'telemetry', bridge: 'spare', direction: 'mqtt-to-kafka' },
  ...{ filter: 'devices/+/telemetry', topic: 'telemetry', ack: 'kafka' },
};
const MESSAGE = { topic: 'devices/7/telemetry', payload: { t: 31 }, payload_encoding: 'json' };

/** Bridges, and the alarms that one raises which reaches nobody. */
export async function changeBridges({ steps }: ContractWorld): Promise<void> {
  const shop = { path: { bridge_id: 'shop' } };
  await steps.take(['createBridge', 201], { body: BRIDGE });
  await steps.take(['listBridges', 200]);
  await steps.take(['getBridge', 200], shop, { id: 'shop' });
  await steps.take(['replaceBridge', 200], { ...shop, headers: any, body: BRIDGE });
  const spare = { path: { bridge_id: 'spare' }, body: { ...BRIDGE, id: 'spare' } };
  await steps.take(['replaceBridge', 201], { ...spare, headers: { 'if-none-match': '*' } });
  const leak = { sasl: { mechanism: 'plain', username: 'a', password: { file: '/etc/passwd' } } };
  await steps.take(['patchBridge', 422], { ...shop, headers: any, body: leak });
  await steps.take(['replaceBridge', 422], {
    ...shop,
    headers: any,
    body: { ...BRIDGE, ...leak },
  });
  await steps.take(['patchBridge', 200], {
    ...shop,
    headers: any,
    body: { compression: 'gzip' },
  });
  await steps.take(['testBridge', 200], { ...shop, body: {} });
  await steps.take(['testUnsavedBridge', 200], { body: { bridge: BRIDGE } });
  await steps.take(['stopBridge', 202], shop);
  await steps.take(['startBridge', 202], shop);
  await steps.take(['restartBridge', 202], shop);
  for (const id of ['getBridgeStatus', 'getBridgeMetrics'] as const) {
    await steps.take([id, 200], shop);
  }
  await steps.take(['resetBridgeMetrics', 204], shop);
  const busy = { body: { ...RULE, id: 'busy', bridge: 'shop' } };
  await steps.take(['createBridgeRule', 201], busy);
  await steps.takeUntil(['listAlarms', 200], {}, { items: [{ subject: 'shop' }, {}] });
  const [first = ''] = idsOf(await steps.take(['listAlarms', 200]));
  const alarm = { path: { alarm_id: first } };
  await steps.take(['getAlarm', 200], alarm);
  await steps.take(['acknowledgeAlarm', 201], { ...alarm, body: { comment: 'seen' } });
  await steps.take(['deleteAlarm', 409], alarm);
  await steps.take(['deleteBridgeRule', 204], { path: { rule_id: 'busy' }, headers: any });
  await steps.take(['deleteBridge', 204], { ...shop, headers: any });
  await steps.takeUntil(['getAlarm', 200], alarm, { state: 'history' });
  await steps.take(['deleteAlarm', 204], alarm);
}

/** Rules of bridges, and what they could not pass on. */
export async function changeRules({ steps }: ContractWorld): Promise<void> {
  const bridge = { path: { bridge_id: 'spare' }, headers: any };
  const rule = { path: { rule_id: 'telemetry' } };
  await steps.take(['createBridgeRule', 201], { body: RULE });
  await steps.take(['listBridgeRules', 200], {}, { items: [{ id: 'telemetry' }] });
  await steps.take(['getBridgeRule', 200], rule);
  await steps.take(['replaceBridgeRule', 200], { ...rule, headers: any, body: RULE });
  const second = { path: { rule_id: 'second' }, body: { ...RULE, id: 'second' } };
  await steps.take(['replaceBridgeRule', 201], { ...second, headers: { 'if-none-match': '*' } });
  const lost = { ...rule, headers: any, body: { ...RULE, bridge: 'nobody' } };
  await steps.take(['replaceBridgeRule', 422], lost);
  await steps.take(['patchBridgeRule', 200], { ...rule, headers: any, body: { enabled: false } });
  await steps.take(['testBridgeRule', 200], { ...rule, body: { message: MESSAGE } });
  await steps.take(['testUnsavedBridgeRule', 200], { body: { rule: RULE, message: MESSAGE } });
  await steps.take(['getBridgeRuleMetrics', 200], rule);
  await steps.take(['orderBridgeRules', 422], { headers: any, body: { ids: ['nobody'] } });
  const order = { headers: any, body: { ids: ['second', 'telemetry'] } };
  await steps.take(['orderBridgeRules', 200], order);
  await steps.take(['deleteBridge', 409], bridge);
  await steps.take(['listDeadLetters', 200]);
  await steps.take(['replayDeadLetters', 200], { body: { ids: ['1767225600000-0'] } });
  const all = { filter: { rule: 'telemetry' }, per_second: 10 };
  await steps.take(['replayDeadLetters', 202], { body: all });
  await steps.take(['deleteDeadLetters', 200], { query: { dry_run: 'true' } });
  await steps.take(['deleteDeadLetters', 200], {});
  await steps.take(['exportDefinitions', 200]);
  const empty = { format: 'skein-definitions', version: 1, users: [] };
  await steps.take(['importDefinitions', 200], { body: empty });
  await steps.take(['deleteBridgeRule', 204], { ...rule, headers: any });
  await steps.take(['deleteBridgeRule', 204], { path: second.path, headers: any });
  await steps.take(['deleteBridge', 204], bridge);
}
