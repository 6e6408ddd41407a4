import type { Log, Meter } from '#libs/broker-ports';
import { readSecret, type Config } from '#libs/config';
import type { OtelTracer } from '#libs/tracer-otel';

/** The tracer of a node; its library is not even loaded where nothing is traced. */
export async function openTracer(
  { tracing, node }: Config,
  meter: Meter,
  log: Log,
): Promise<OtelTracer | undefined> {
  if (!tracing.enabled) return undefined;
  const { OtelTracer: Tracer } = await import('#libs/tracer-otel');
  const { endpoint, authorizationFile: file, sampleRatio } = tracing;
  if (file !== undefined) readSecret({ file });
  const { injectUserProperty, deliverySpansMax } = tracing;
  log.info('tracing', { endpoint, sampleRatio });
  return new Tracer({
    ...{ endpoint, sampleRatio, injectUserProperty, deliverySpansMax, meter, log },
    authorization: file === undefined ? undefined : () => readSecret({ file }),
    limits: tracing,
    service: {
      name: 'skein-broker',
      version: node.version,
      cluster: node.clusterName,
      nodeId: node.id,
    },
  });
}
