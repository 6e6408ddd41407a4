import type { SinkFactory } from '#libs/bridge';
import { HttpClient } from './http-client.ts';
import type { ReadSecret } from './http-access.ts';
import { pathFault } from './webhook-path.ts';
import { WebhookSink } from './webhook-sink.ts';

/** Makes the sinks of a node that lead to HTTP endpoints. */
export function webhookSinks(readSecret: ReadSecret): SinkFactory<'webhook'> {
  return {
    kind: 'webhook',
    targetFault: pathFault,
    open: (connector, { id: ruleId }) =>
      new WebhookSink({ client: new HttpClient(connector, readSecret), connector, ruleId }),
  };
}
