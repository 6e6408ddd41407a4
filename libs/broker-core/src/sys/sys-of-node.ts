import type { InjectedMessage, Message, NodeGauges } from '#libs/broker-ports';
import type { NodeParts } from '../parts.ts';
import { SysTopics } from './sys-topics.ts';

/**
 * What a node says of itself under `$SYS`; nothing while the interval is 0.
 *
 * @param own - the parts of the node that publish here and that know how many connections there have been, when all are made.
 */
export function sysTopicsOf(
  { bus, meter, topics, nowMs }: Pick<NodeParts, 'bus' | 'meter' | 'topics' | 'nowMs'>,
  node: { gauges(): NodeGauges; identify(message: InjectedMessage): Message },
  own: () => readonly [{ routeHere(message: Message): void }, { readonly accepted: number }],
): SysTopics {
  const startedAtMs = nowMs();
  return new SysTopics({
    get intervalMs() {
      return topics.sysIntervalSeconds * 1000;
    },
    snapshot: (now) => ({
      ...{ nodeId: bus.self.nodeId, nodes: bus.nodes(), uptimeMs: now - startedAtMs },
      ...{ gauges: node.gauges(), totals: meter.totals(), sockets: own()[1].accepted },
    }),
    identify: (message) => node.identify(message),
    publish: (message) => own()[0].routeHere(message),
  });
}
