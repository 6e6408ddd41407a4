import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import {
  OPERATIONS,
  type Input,
  type MessageBulkResults,
  type MessagePublish,
  type MessageResponse,
  type Published,
  type WirePublication,
  type WirePublished,
  type WireNode,
  type WireRequested,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { ProblemError } from './http/problem-error.ts';
import { checkRequest } from './http/request-check.ts';
import { Checked, Route } from './http/route.ts';
import { checkedWireMessage, refused } from './message-problem.ts';
import { presentPayload, presentProperties } from './presenters.ts';
import { CLUSTER, CONFIG } from './tokens.ts';

type BulkResult = MessageBulkResults['items'][number];

/** A message of a bulk request that can be published, and where. */
interface Ready {
  readonly index: number;
  readonly publication: WirePublication;
  /** Undefined: by any node. */
  readonly node: WireNode | undefined;
}

/** Messages to publish, and requests to devices. */
@Controller()
export class MessagesController {
  readonly #bytesMax: number;

  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(CONFIG) config: Config,
  ) {
    this.#bytesMax = config.limits.packetBytesMax;
  }

  @Route('publishMessage')
  async publish(
    @Checked() { body }: Input<'publishMessage'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Published> {
    const inquiry = this.cluster.inquire();
    const publication = this.publicationOf(body);
    const node = await ownerOf(inquiry, publication.asClientId);
    const outcome = await inquiry.change({ kind: 'publish', ...publication }, { node });
    if (outcome.kind === 'refused') throw refused(outcome.code);
    void reply.status(outcome.matched === 0 ? 202 : 200);
    return { message_id: outcome.messageId, matched_subscribers: outcome.matched };
  }

  @Route('publishMessages')
  async publishMany(@Checked() { body }: Input<'publishMessages'>): Promise<MessageBulkResults> {
    const inquiry = this.cluster.inquire();
    const results: BulkResult[] = [];
    const owners = new Map<string, Promise<WireNode | undefined>>();
    const prepared = body.map(async (item, index): Promise<Ready | BulkResult> => {
      try {
        const publication = this.publicationOf(itemOf(item));
        const { asClientId } = publication;
        if (asClientId === undefined) return { index, publication, node: undefined };
        const owner = owners.get(asClientId) ?? ownerOf(inquiry, asClientId);
        owners.set(asClientId, owner);
        return { index, publication, node: await owner };
      } catch (error) {
        return failureOf(index, error);
      }
    });
    const ready: Ready[] = [];
    for (const each of await Promise.all(prepared)) {
      if ('publication' in each) ready.push(each);
      else results.push(each);
    }
    const published = groupsOf(ready).map((group) => this.publishGroup(inquiry, group));
    results.push(...(await Promise.all(published)).flat());
    return { items: results.toSorted((a, b) => a.index - b.index) };
  }

  @Route('requestMessage')
  async request(@Checked() { body }: Input<'requestMessage'>): Promise<MessageResponse> {
    const { timeout_seconds: seconds, response_topic: responseTopic, ...content } = body;
    const inquiry = this.cluster.inquire();
    const publication = this.publicationOf({ ...content, retain: false });
    const node = await ownerOf(inquiry, publication.asClientId);
    const timeoutMs = seconds * 1000;
    const outcome = await inquiry.change(
      { kind: 'request', ...publication, responseTopic, timeoutMs },
      { node, waitsMs: timeoutMs },
    );
    switch (outcome.kind) {
      case 'answered':
        return presentResponse(outcome);
      case 'refused':
        throw refused(outcome.code);
      case 'no-subscribers':
        throw new ProblemError('no-subscribers', 'Not published: nobody is subscribed to topic');
      case 'no-response':
        throw new ProblemError('no-response', `No answer came within ${seconds} s`);
      case 'overloaded':
        throw new ProblemError('overloaded', 'Not published: too many requests wait for answers');
    }
  }

  private publicationOf({ as_client_id: asClientId, ...message }: MessagePublish): WirePublication {
    return { message: checkedWireMessage(message, this.#bytesMax), asClientId };
  }

  /** Messages for one node, in their order. */
  private async publishGroup(
    inquiry: Inquiry,
    group: readonly Ready[],
  ): Promise<readonly BulkResult[]> {
    const publications = group.map(({ publication }) => publication);
    try {
      const { outcomes } = await inquiry.change(
        { kind: 'publish-many', publications },
        { node: group[0]?.node },
      );
      return group.map(({ index }, at) => resultOf(index, outcomes[at]));
    } catch (error) {
      return group.map(({ index }) => failureOf(index, error));
    }
  }
}

/** The node of a client that is to be the publisher. @throws ProblemError when it is not there. */
async function ownerOf(
  inquiry: Inquiry,
  clientId: string | undefined,
): Promise<WireNode | undefined> {
  if (clientId === undefined) return undefined;
  try {
    return (await inquiry.findClient(clientId)).node;
  } catch (error) {
    const isAbsent = error instanceof ProblemError && error.code === 'not-found';
    throw isAbsent ? refused('NOT_CONNECTED') : error;
  }
}

/** By node, each in its order. */
function groupsOf(ready: readonly Ready[]): readonly (readonly Ready[])[] {
  const groups = new Map<string, Ready[]>();
  for (const each of ready) {
    const nodeId = each.node?.nodeId ?? '';
    groups.set(nodeId, [...(groups.get(nodeId) ?? []), each]);
  }
  return [...groups.values()];
}

/** Holds an item to the contract of a message that comes alone. */
function itemOf(item: unknown): MessagePublish {
  const request = { params: {}, query: {}, body: item };
  return checkRequest(OPERATIONS.publishMessage, request).body as MessagePublish;
}

function resultOf(index: number, outcome: WirePublished | undefined): BulkResult {
  if (outcome === undefined) return failureOf(index, undefined);
  if (outcome.kind === 'refused') return failureOf(index, refused(outcome.code));
  const { matched, messageId } = outcome;
  const status = matched === 0 ? 202 : 200;
  return { index, status, message_id: messageId, matched_subscribers: matched };
}

function failureOf(index: number, error: unknown): BulkResult {
  if (!(error instanceof ProblemError)) throw error;
  const { code, status, extras } = error;
  const { errors, mqttReasonCode } = extras;
  const problem = {
    ...{ code, detail: error.message },
    ...(errors === undefined ? {} : { errors: [...errors] }),
    ...(mqttReasonCode === undefined ? {} : { mqtt_reason_code: mqttReasonCode }),
  };
  return { index, status, problem };
}

function presentResponse({
  messageId,
  response,
}: Extract<WireRequested, { readonly kind: 'answered' }>): MessageResponse {
  const { topic, publisher, receivedAtMs, properties } = response;
  return {
    message_id: messageId,
    topic,
    ...presentPayload(response.payload, 'text'),
    publisher: publisher === '' ? null : publisher,
    received_at: new Date(receivedAtMs).toISOString(),
    properties: presentProperties(properties, true),
  };
}
