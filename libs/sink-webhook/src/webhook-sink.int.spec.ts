import type { WebhookConnector } from '#libs/broker-ports';
import {
  freePort,
  silentLog,
  sinkContract,
  startWebhookServer,
  until,
  type PostedRequest,
  type ReceivedRecord,
  type ReceiverUnderTest,
} from '#libs/testkit';
import { webhookSinks } from './index.ts';

const WAIT_MS = 30_000;
const BYTES_MAX = 1_000_000;
const MISSING = '/nobody-made-this';

interface BatchItem {
  readonly key: string;
  readonly payload: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

function recordsOf(request: PostedRequest, format: WebhookConnector['format']): ReceivedRecord[] {
  if (format === 'single') {
    return [{ key: undefined, value: String(request.body), headers: request.headers }];
  }
  const text = String(request.body);
  const json = format === 'json' ? text : `[${text.trimEnd().replaceAll('\n', ',')}]`;
  return (JSON.parse(json) as BatchItem[]).map(({ key, payload, headers }) => ({
    key,
    value: payload,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, [value].flat()]),
    ),
  }));
}

async function openServer(format: WebhookConnector['format']): Promise<ReceiverUnderTest> {
  const server = await startWebhookServer();
  const nobody = await freePort();
  let made = 0;
  server.refuse = ({ url, headers }) => {
    if (Number(headers['content-length']) > BYTES_MAX) return 413;
    return url === MISSING ? 404 : undefined;
  };
  const sinkTo = (port: number) => {
    const connector: WebhookConnector = {
      id: 'hook',
      kind: 'webhook',
      url: `http://127.0.0.1:${port}`,
      headers: {},
      timeoutMs: 5_000,
      concurrency: 3,
      format,
    };
    const readSecret = (): string => '';
    return webhookSinks(readSecret).open(connector, { id: 'rule' }, silentLog);
  };
  const received = (target: string): ReceivedRecord[] =>
    server.stored
      .filter(({ path }) => path === target)
      .flatMap((request) => recordsOf(request, format));
  return {
    open: () => sinkTo(server.port),
    openAstray: () => sinkTo(nobody),
    makeTarget: () => {
      made += 1;
      return Promise.resolve(`/target/${made}`);
    },
    received: async (target, enough) => {
      await until(() => enough(received(target)), WAIT_MS);
      return received(target);
    },
    kill: () => server.stop(),
    restart: () => server.start(),
    close: () => server.stop(),
  };
}

for (const format of ['single', 'json', 'ndjson'] as const) {
  sinkContract(`WebhookSink of format ${format}`, {
    openReceiver: () => openServer(format),
    missingTarget: MISSING,
    refusedBytes: 2 * BYTES_MAX,
  });
}
