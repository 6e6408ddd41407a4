import { expect } from '@jest/globals';
import { any, idOf, press, type ContractWorld } from './world.ts';

/** Clients, their sessions and subscriptions. */
export async function changeClients({ steps }: ContractWorld): Promise<void> {
  await steps.take(['listClients', 200], { query: { client_id: 'press/7' } }, { items: [press] });
  await steps.take(['getClient', 200], { path: press }, press);
  await steps.take(['listSessions', 200], { query: { client_id: 'press/7' } });
  await steps.take(['getSession', 200], { path: press });
  const short = { path: press, body: { expiry_seconds: 3_600 } };
  await steps.take(['patchSession', 200], short, { expiry_seconds: 3_600 });
  const one = { path: press, body: { filter: 'forced/#', qos: 1 } };
  await steps.take(['subscribeClient', 200], one);
  await steps.take(
    ['listClientSubscriptions', 200],
    { path: press },
    { items: expect.arrayContaining([expect.objectContaining({ filter: 'forced/#' })]) },
  );
  const forced = { query: { filter: 'forced/#' } };
  await steps.take(['listSubscriptions', 200], forced, { items: [press] });
  await steps.take(['unsubscribeClient', 204], { path: press, ...forced });
  await steps.take(['listSubscriptions', 200], forced, { items: [] });
  await steps.take(['listSharedGroups', 200], {}, { items: [{ group: 'workers' }] });
  await steps.take(['getSharedGroup', 200], { path: { group: 'workers' } });
  for (const id of ['listQueuedMessages', 'listInflightMessages'] as const) {
    await steps.take([id, 200], { path: press });
  }
  await steps.take(['clearQueuedMessages', 204], { path: press });
  await steps.take(['listAuthorizationCache', 200], { path: press });
  await steps.take(['clearAuthorizationCache', 204], { path: press });
  const check = { action: 'publish', topic: 'devices/7/state', qos: 1 };
  await steps.take(['checkAuthorization', 200], { path: press, body: check });
}

/** Messages. */
export async function passMessages({ steps, device }: ContractWorld): Promise<void> {
  const state = { topic: 'devices/7/state', payload: 'on', qos: 1 };
  await steps.take(['publishMessage', 200], { body: state });
  await device.receivesAll(['on']);
  await steps.take(['publishMessage', 202], { body: { ...state, topic: 'nobody/hears' } });
  await steps.take(['publishMessages', 200], { body: [{ ...state, payload: 'off' }] });
  await device.receivesAll(['on', 'off']);
  const asked = { ...state, topic: 'devices/7/commands', timeout_seconds: 1 };
  await steps.take(['requestMessage', 504], { body: asked });
  await steps.take(['requestMessage', 409], { body: { ...asked, topic: 'nobody/hears' } });
  device.mqtt.on('message', (_topic, _bytes, { properties }) => {
    const { responseTopic, correlationData } = properties ?? {};
    if (responseTopic === undefined) return;
    const answer = {
      qos: 1,
      properties: { ...(correlationData && { correlationData }) },
    } as const;
    device.mqtt.publish(responseTopic, 'answer', answer);
  });
  const patient = { ...asked, timeout_seconds: 20 };
  await steps.take(['requestMessage', 200], { body: patient }, { payload: 'answer' });
  const kept = { query: { topic: 'devices/7/kept' } };
  const put = { ...kept, body: { payload: 'a', qos: 1 } };
  await steps.take(['putRetainedMessage', 201], put);
  await steps.take(['putRetainedMessage', 200], { ...put, headers: any });
  await steps.take(['getRetainedMessage', 200], kept, { topic: 'devices/7/kept' });
  await steps.take(['listRetainedMessages', 200], {}, { items: [{ topic: 'devices/7/kept' }] });
  await steps.take(['listTopics', 200]);
  const filter = { query: { filter: 'devices/#' } };
  const dry = { query: { ...filter.query, dry_run: 'true' } };
  await steps.take(['deleteRetainedMessages', 200], dry);
  await steps.take(['deleteRetainedMessage', 204], { ...kept, headers: any });
  await steps.take(['putRetainedMessage', 201], put);
  await steps.take(['deleteRetainedMessages', 200], filter, { removed: 1 });
  await steps.take(['putRetainedMessage', 201], put);
  await steps.take(['deleteRetainedMessages', 204], kept);
  await steps.take(['listRetainedMessages', 200], {}, { items: [] });
  const later = { ...state, delay_seconds: 3_600 };
  const made = idOf(await steps.take(['createDelayedMessage', 201], { body: later }));
  const path = { delayed_message_id: made };
  await steps.take(['listDelayedMessages', 200], {}, { items: [{ id: made }] });
  await steps.take(['getDelayedMessage', 200], { path });
  await steps.take(['deleteDelayedMessage', 204], { path });
  await steps.take(['getDelayedMessage', 404], { path });
  const nightly = { topic: 'devices/7/commands', payload: 'x', cron: '0 3 * * *' };
  const planned = idOf(await steps.take(['createScheduledMessage', 201], { body: nightly }));
  const plan = { path: { scheduled_message_id: planned } };
  await steps.take(['listScheduledMessages', 200], {}, { items: [{ id: planned }] });
  await steps.take(['getScheduledMessage', 200], plan);
  await steps.take(['deleteScheduledMessage', 204], plan);
  await steps.take(['getScheduledMessage', 404], plan);
  const counted = await steps.take(['createTopicMetric', 201], { body: { filter: 'devices/#' } });
  const metric = { path: { metric_id: idOf(counted) } };
  await steps.take(['listTopicMetrics', 200], {}, { items: [{ filter: 'devices/#' }] });
  await steps.take(['getTopicMetric', 200], metric);
  await steps.take(['deleteTopicMetric', 204], metric);
}
