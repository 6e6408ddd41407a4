import { TRACEPARENT, parseTraceparent, type Tracer } from '#libs/broker-ports';
import type { OutboundRecord } from './outbound-record.ts';

/** Makes the span of a record that has waited on the disk alone: its message's trace may be over, so that it links to it. */
export function linkSpooled(
  tracer: Tracer,
  { headers, target, sequence }: Pick<OutboundRecord, 'headers' | 'target' | 'sequence'>,
  rule: string,
): void {
  const text = sequence > 0 ? headers[TRACEPARENT] : undefined;
  const found = typeof text === 'string' ? parseTraceparent(text) : undefined;
  if (found?.sampled !== true) return;
  const span = tracer.start({
    ...{ name: 'send', kind: 'producer', link: found.context },
    attributes: {
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': target,
      'skein.rule': rule,
    },
  });
  span.end();
}
