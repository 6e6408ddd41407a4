import type { SinkFactory } from '#libs/bridge';
import { endpointOf, openLink, type ReadSecret } from './rabbitmq-link.ts';
import { RabbitmqSink } from './rabbitmq-sink.ts';

const NAME_BYTES_MAX = 255;

/** Makes the sinks of a node that lead to RabbitMQ. */
export function rabbitmqSinks(readSecret: ReadSecret): SinkFactory<'rabbitmq'> {
  return {
    kind: 'rabbitmq',
    targetFault: exchangeFault,
    open: (connector) =>
      new RabbitmqSink(connector, {
        open: () => openLink(connector, readSecret),
        endpoint: () => endpointOf(connector, readSecret),
      }),
  };
}

/** The empty name is that of the default exchange, which routes to the queue of the routing key. */
function exchangeFault(name: string): string | undefined {
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return undefined;
  return 'the exchange has more than 255 bytes';
}
