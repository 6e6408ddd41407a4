import { REASON, type Packet } from '#libs/mqtt-codec';
import type { Link, Role } from '../device.ts';

/** Below this topic clients have their wills. */
export const WILLS = 'wills';

/** Hears every will. */
export class WillWitness implements Role {
  /** Whose will was told. */
  readonly told: string[] = [];
  isSubscribed = false;

  connected(link: Link): void {
    link.send({
      kind: 'subscribe',
      packetId: 1,
      subscriptions: [
        {
          filter: `${WILLS}/#`,
          qos: 1,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
        },
      ],
    });
  }

  received(link: Link, packet: Packet): void {
    if (packet.kind === 'suback') this.isSubscribed = true;
    if (packet.kind !== 'publish') return;
    this.told.push(packet.topic.slice(WILLS.length + 1));
    if (packet.qos === 1) {
      link.send({ kind: 'puback', packetId: packet.packetId, reasonCode: REASON.success });
    }
  }
}

/** Does nothing but be connected. */
export const IDLE: Role = { connected: () => undefined, received: () => undefined };
