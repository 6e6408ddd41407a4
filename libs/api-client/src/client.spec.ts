import { describe, expect, it } from '@jest/globals';
import { ApiClient, ApiError, type ItemOf } from './index.ts';

interface Sent {
  readonly url: string;
  readonly init: RequestInit & { readonly headers: Headers };
}

/** A client whose requests are noted, and answered by what is given, in order. */
function clientOf(answers: readonly (() => Response | Promise<Response>)[]) {
  const sent: Sent[] = [];
  const client = new ApiClient({
    server: 'http://api.example/',
    credential: () => 'skn_secret',
    fetch: async (url, init) => {
      sent.push({ url: url as string, init: init as Sent['init'] });
      const answer = answers[sent.length - 1];
      if (answer === undefined)
        throw new TypeError('fetch failed', { cause: new Error('refused') });
      return answer();
    },
  });
  return { client, sent };
}

const json = (
  body: unknown,
  init: { readonly status?: number; readonly headers?: Record<string, string> } = {},
) =>
  new Response(JSON.stringify(body), {
    ...init,
    headers: { 'content-type': 'application/json; charset=utf-8', ...init.headers },
  });

const problem = (code: string, status: number) =>
  new Response(JSON.stringify({ code, status, detail: `it is ${code}` }), {
    status,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '3' },
  });

const meta = { partial: false, unavailable_nodes: [] };
const page = (ids: readonly string[], next?: string) => () =>
  json({
    items: ids.map((client_id) => ({ client_id })),
    page: {
      has_more: next !== undefined,
      limit: 2,
      ...(next !== undefined && { next_cursor: next }),
    },
    meta,
  });

describe('a call', () => {
  it('goes to the path of its operation, with ids encoded and parameters as texts', async () => {
    const { client, sent } = clientOf([() => new Response(undefined, { status: 204 })]);

    const reply = await client.call('disconnectClient', {
      path: { client_id: 'press/7 é😀?#%' },
      query: { clear_session: true },
      headers: { 'X-Request-Id': 'a' },
    });

    expect(reply.status).toBe(204);
    expect(sent[0]?.url).toBe(
      `http://api.example/api/v1/clients/${encodeURIComponent('press/7 é😀?#%')}?clear_session=true`,
    );
    expect(sent[0]?.init.method).toBe('DELETE');
    expect(Object.fromEntries(sent[0]?.init.headers ?? [])).toEqual({
      accept: 'application/json',
      authorization: 'Bearer skn_secret',
      'x-request-id': 'a',
    });
  });

  it('carries its body in the content type of the operation', async () => {
    const { client, sent } = clientOf([() => json({ id: 'r' }, { headers: { etag: '"2"' } })]);

    const { body, headers } = await client.call('patchBridgeRule', {
      path: { rule_id: 'r' },
      body: { enabled: false },
      headers: { 'if-match': '*' },
    });

    expect(body.id).toBe('r');
    expect(headers.get('etag')).toBe('"2"');
    expect(sent[0]?.init.headers.get('content-type')).toBe('application/merge-patch+json');
    expect(sent[0]?.init.body).toBe('{"enabled":false}');
  });

  it('follows no redirection, so that a credential stays with its server', async () => {
    const { client, sent } = clientOf([
      () => new Response(undefined, { status: 302, headers: { location: 'http://evil.example' } }),
    ]);

    await expect(client.call('getStatus')).rejects.toMatchObject({
      kind: 'malformed',
      status: 302,
    });
    expect(sent).toHaveLength(1);
    expect(sent[0]?.init.redirect).toBe('manual');
  });

  it.each(['.', '..', ''])('refuses the id %p, which a URL cannot hold', async (client_id) => {
    const { client, sent } = clientOf([]);

    await expect(client.call('getClient', { path: { client_id } })).rejects.toThrow(RangeError);
    expect(sent).toEqual([]);
  });

  it('is typed: what an operation lacks, or needs, is found by the compiler', () => {
    const { client } = clientOf([]);
    const wrong = [
      // @ts-expect-error -- the id is needed
      () => client.call('getClient'),
      // @ts-expect-error -- there is no such parameter
      () => client.call('listClients', { query: { colour: 'red' } }),
      // @ts-expect-error -- a body is needed
      () => client.call('createBan'),
      // @ts-expect-error -- not a kind of ban
      () => client.call('createBan', { body: { kind: 'colour', value: 'red' } }),
      // @ts-expect-error -- not a list
      () => client.items('getStatus'),
    ];
    const port: ItemOf<'listClients'>['client_id'] = 'a text';

    expect(wrong).toHaveLength(5);
    expect(port).toBe('a text');
  });
});

describe('a failed call', () => {
  it('has the problem of the API, its status and headers', async () => {
    const { client } = clientOf([() => problem('not-found', 404)]);
    const error = await client.call('getStatus').catch((each: unknown) => each);

    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ kind: 'refused', code: 'not-found', status: 404 });
    expect((error as ApiError).message).toBe('it is not-found');
    expect((error as ApiError).headers?.get('retry-after')).toBe('3');
  });

  it.each([
    ['a page of a proxy', () => new Response('<h1>Bad gateway</h1>', { status: 502 })],
    ['a problem without a code', () => json({}, { status: 500 })],
    [
      'a success that is not JSON',
      () => new Response('{', { headers: { 'content-type': 'application/json' } }),
    ],
  ])('tells %s from a problem of the API', async (_, answer) => {
    const { client } = clientOf([answer]);

    await expect(client.call('getStatus')).rejects.toMatchObject({
      kind: 'malformed',
      code: undefined,
    });
  });

  it('says why there is no answer, and nothing of the credential', async () => {
    const { client } = clientOf([]);
    const error = await client.call('getStatus').catch((each: unknown) => each);

    expect(error).toMatchObject({ kind: 'unreachable' });
    expect((error as Error).message).toBe('no answer from http://api.example/: refused');
  });

  it.each(['skn_secret\nskn_secret', 'skn_secret of two words'])(
    'takes no credential that no header can hold, and does not show it: %j',
    async (credential) => {
      const client = new ApiClient({ server: 'http://api.example', credential });
      const error = await client.call('getStatus').catch((each: unknown) => each);

      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(
        'credential: has a blank, a line break or a character beyond ASCII',
      );
    },
  );

  it('ends in time when the API does not answer', async () => {
    const client = new ApiClient({
      server: 'http://api.example',
      timeoutMs: 1,
      fetch: (_, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
        }),
    });

    await expect(client.call('getStatus')).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'no answer from http://api.example: it took too long',
    });
  });
});

describe('a list', () => {
  it('is walked to its end, with the cursor of each page', async () => {
    const { client, sent } = clientOf([page(['a', 'b'], 'c1'), page(['c'])]);
    const ids: string[] = [];
    for await (const { client_id } of client.items('listClients', { query: { limit: 2 } })) {
      ids.push(client_id);
    }

    expect(ids).toEqual(['a', 'b', 'c']);
    expect(sent.map(({ url }) => url.split('?')[1])).toEqual(['limit=2', 'limit=2&cursor=c1']);
  });

  it('asks for no page that nobody wants', async () => {
    const { client, sent } = clientOf([page(['a', 'b'], 'c1')]);
    for await (const { items } of client.pages('listClients')) {
      expect(items).toHaveLength(2);
      break;
    }

    expect(sent).toHaveLength(1);
  });
});

describe('a stream', () => {
  const stream = (text: string) => () =>
    new Response(text, { headers: { 'content-type': 'text/event-stream' } });

  it('goes on after its last event when the connection ends', async () => {
    const { client, sent } = clientOf([
      stream('retry: 1\nid: 7\nevent: client.connected\ndata: {"a":1}\n\nid: 8\ndata: lost'),
      stream(': heartbeat\n\ndata: two\ndata: lines\n\n'),
    ]);
    const abort = new AbortController();
    const events = [];
    for await (const event of client.events('getStatus', { signal: abort.signal })) {
      events.push(event);
      if (events.length === 2) abort.abort();
    }

    expect(events).toEqual([
      { id: '7', event: 'client.connected', data: '{"a":1}' },
      { id: '8', event: 'message', data: 'two\nlines' },
    ]);
    expect(sent[0]?.init.headers.get('last-event-id')).toBeNull();
    expect(sent[1]?.init.headers.get('last-event-id')).toBe('8');
  });

  it('says when it connects again, and ends when the API refuses it', async () => {
    const { client } = clientOf([stream('retry: 1\ndata: x\n\n'), () => problem('forbidden', 403)]);
    const reasons: unknown[] = [];
    const read = async () => {
      for await (const _ of client.events('getStatus', {
        reconnecting: (why) => reasons.push(why),
      }));
    };

    await expect(read()).rejects.toMatchObject({ code: 'forbidden' });
    expect(reasons).toStrictEqual([undefined]);
  });
});

it('gives lines as they come, whatever the chunks', async () => {
  const bytes = new TextEncoder().encode('{"é":1}\r\n{"b":2}\n');
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const { client } = clientOf([() => new Response(chunks)]);
  const lines: string[] = [];
  for await (const line of client.lines('getStatus')) lines.push(line);

  expect(lines).toEqual(['{"é":1}', '{"b":2}']);
});
