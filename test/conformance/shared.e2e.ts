import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { Wire, uniqueId } from './wire.ts';

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

const KEPT = { clean: false, properties: { sessionExpiryInterval: 100 } };

/** A member that has been sent the only message of its group, and another member that has not. */
async function chosenMember(qos: 1 | 2, options = {}) {
  const topic = `shared/${uniqueId()}`;
  const clientId = uniqueId();
  const chosen = await Wire.connected(scope, port, { clientId, ...options });
  await chosen.subscribe(`$share/group/${topic}`, qos);
  const sender = await Wire.connected(scope, port);
  sender.publish(topic, 'x', { qos });
  await sender.idle();
  const message = await chosen.next('publish');
  const other = await Wire.connected(scope, port);
  await other.subscribe(`$share/group/${topic}`, qos);
  return { chosen, clientId, other, message };
}

describe('a shared subscription', () => {
  it('has a share name and a filter, and neither is empty [MQTT-4.8.2-1] [MQTT-4.8.2-2]', async () => {
    const wire = await Wire.connected(scope, port);
    const bad = ['$share/', '$share/g', '$share//a', '$share/g+/a', '$share/#/a', '$share/g/'];
    expect(await wire.subscribe(bad)).toEqual(bad.map(() => 0x8f));
    expect(await wire.subscribe(['$share/g/a', '$share/g//', '$share/é/#'], 2)).toEqual([2, 2, 2]);
  });

  it('respects the QoS granted to each member [MQTT-4.8.2-3]', async () => {
    const topic = `shared/${uniqueId()}`;
    const members = [await Wire.connected(scope, port), await Wire.connected(scope, port)] as const;
    await members[0].subscribe(`$share/group/${topic}`, 0);
    await members[1].subscribe(`$share/group/${topic}`, 1);
    const sender = await Wire.connected(scope, port);
    for (let count = 0; count < 10; count += 1) {
      sender.publish(topic, String(count), { qos: 2 });
      await sender.next('pubrec');
    }
    const levels = async (wire: Wire) =>
      (await wire.idle()).map((packet) => packet.cmd === 'publish' && packet.qos);
    const [low, high] = [await levels(members[0]), await levels(members[1])];
    expect(low.length + high.length).toBe(10);
    expect(low.every((qos) => qos === 0)).toBe(true);
    expect(high.every((qos) => qos === 1)).toBe(true);
  });

  it('goes on with a QoS 2 message with the member that it was sent to [MQTT-4.8.2-4]', async () => {
    const { chosen, clientId, other, message } = await chosenMember(2, KEPT);
    chosen.cut();
    const again = await Wire.connected(scope, port, { clientId, ...KEPT });
    const { messageId = 0 } = await again.next('publish');
    expect(messageId).toBe(message.messageId);
    again.send({ cmd: 'pubrec', messageId });
    await again.next('pubrel');
    again.send({ cmd: 'pubcomp', messageId });
    expect(await again.idle()).toEqual([]);
    expect(await other.idle()).toEqual([]);
  });

  it('gives a QoS 2 message to nobody else when the session of its member ends [MQTT-4.8.2-5]', async () => {
    const { chosen, clientId, other } = await chosenMember(2);
    chosen.cut();
    const again = await Wire.connected(scope, port, { clientId });
    expect(await again.idle()).toEqual([]);
    expect(await other.idle()).toEqual([]);
  });

  it('gives what its member refuses to nobody else [MQTT-4.8.2-6]', async () => {
    for (const qos of [1, 2] as const) {
      const { chosen, other, message } = await chosenMember(qos);
      const { messageId = 0 } = message;
      chosen.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode: 0x83 });
      expect(await chosen.idle()).toEqual([]);
      chosen.cut();
      expect(await other.idle()).toEqual([]);
    }
  });
});
